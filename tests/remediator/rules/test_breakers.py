"""Every breaker has settings of its own, and may be told never to open."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from remediator.rules import load
from remediator.rules.breaking import NEVER, AfterChange, Breaking, Burst, PendingPods, Unmended
from remediator.rules.documents import ProblemsError

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
"""
SHIPPED = Path(__file__).parents[3] / "rules" / load.POLICY_FILE


def read(directory: Path, text: str) -> Breaking:
    (directory / "policy.yaml").write_text(POLICY + text)
    return load.policy(directory / "policy.yaml").breaking


def test_what_is_shipped_is_what_holds_when_nothing_is_said(tmp_path: Path) -> None:
    assert load.policy(SHIPPED).breaking == read(tmp_path, "") == Breaking()


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("  breakers: {unhealthyPool: 20%}\n", {"unhealthy_pool": "20%"}),
        ("  breakers: {unhealthyZone: never}\n", {"unhealthy_zone": ""}),
        (
            "  breakers: {burst: {repairs: 9, within: 5m}}\n",
            {"burst": Burst(repairs=9, within=timedelta(minutes=5))},
        ),
        ("  breakers: {burst: never}\n", {"burst": None}),
        ("  breakers: {failedReplacements: never}\n", {"failed_replacements": 0}),
        ("  breakers: {unmended: never}\n", {"unmended": None}),
        ("  breakers: {unmended: {repairs: 4}}\n", {"unmended": Unmended(repairs=4)}),
        ("  breakers: {afterChange: {share: 5%}}\n", {"after_change": AfterChange(share="5%")}),
        ("  breakers: {afterChange: {share: never}}\n", {"after_change": None}),
        ("  breakers: {afterChange: never}\n", {"after_change": None}),
        ("  breakers: {pendingPods: never}\n", {"pending_pods": None}),
        (
            "  breakers: {pendingPods: {pods: 50, share: 10%, within: 1h}}\n",
            {"pending_pods": PendingPods(pods=50, share="10%", within=timedelta(hours=1))},
        ),
        (
            "  breakers: {pendingPods: {share: never}}\n",
            {"pending_pods": PendingPods(share="0%")},
        ),
        ("  breakers: {coolDown: 1h}\n", {"cool_down": timedelta(hours=1)}),
    ],
)
def test_one_breaker_is_changed_without_the_others(
    tmp_path: Path, text: str, changed: dict[str, object]
) -> None:
    assert read(tmp_path, text) == replace(Breaking(), **changed)  # type: ignore[arg-type]  # its own fields


def test_none_ever_opens_where_that_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, "  breakers: never\n") == NEVER


@pytest.mark.parametrize("share", ["3", "130%", "much"])
def test_a_share_is_a_percentage(tmp_path: Path, share: str) -> None:
    with pytest.raises(ProblemsError, match="silentAgents: expected a percentage or never"):
        read(tmp_path, f"  breakers: {{silentAgents: '{share}'}}\n")


@pytest.mark.parametrize("share", ["50 %", "50", "0.5", " 50%"])
def test_a_share_that_is_written_otherwise_is_told_how(tmp_path: Path, share: str) -> None:
    with pytest.raises(ProblemsError, match=r'did you mean "50%"\?'):
        read(tmp_path, f"  breakers: {{silentAgents: '{share}'}}\n")


def test_a_share_without_quotes_and_sign_is_told_by_an_example(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match='silentAgents: expected text such as "50%", got 40'):
        read(tmp_path, "  breakers: {silentAgents: 40}\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("burst: 5", "burst: expected never or a mapping of repairs, share, within, got 5"),
        (
            "afterChange: 10%",
            "afterChange: expected never or a mapping of share, within, got '10%'",
        ),
        ("pendingPods: {pods: 0}", "pendingPods.pods: expected at least 1, got 0"),
        ("pendingPods: {share: '20'}", "pendingPods.share: expected a percentage or never"),
        ("coolDown: 15", 'coolDown: expected text such as "15m", got 15'),
    ],
)
def test_what_is_written_otherwise_is_told_with_what_is_expected(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ProblemsError) as told:
        read(tmp_path, f"  breakers: {{{text}}}\n")

    assert f"spec.breakers.{complaint}" in str(told.value)
