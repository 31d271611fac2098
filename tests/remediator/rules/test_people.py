"""What a policy leaves to people is read, and every mistake is named with its place."""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nodehealth.repair import Severity
from remediator import files
from remediator.rules import load
from remediator.rules.approvals import Approval
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import Policy
from remediator.rules.windows import ALWAYS, Window

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  pools:
    - {name: h100, labels: {gpu: h100}}
    - {name: free, windows: {}}
    - {name: busy, windows: {open: [{days: [fri-mon], from: "01:00", to: 22:00}]}}
"""
RULE = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: warning
  when: {signal: disk.free_ratio, where: "value < 0.05"}
  ladder: [drain, replace]
"""


def read(directory: Path, text: str, known: Mapping[str, tuple[str, ...]] | None = None) -> Policy:
    (directory / "policy.yaml").write_text(POLICY + text)
    return load.policy(directory / "policy.yaml", known=known or {})


def mistakes(directory: Path, text: str, known: Mapping[str, tuple[str, ...]] | None = None) -> str:
    with pytest.raises(ProblemsError) as caught:
        read(directory, text, known)
    return str(caught.value).partition(": ")[2]


def test_windows_are_read_with_their_zone(tmp_path: Path) -> None:
    text = """\
  windows:
    open:
      - {days: [mon-wed, fri], from: "22:00", to: "06:00", zone: Europe/Berlin}
      - {from: 1:30, to: "24:00"}
    except: [critical]
"""

    found = read(tmp_path, text).windows

    assert found.open == (
        Window(
            days=frozenset({0, 1, 2, 4}), opens=1320, closes=360, zone=ZoneInfo("Europe/Berlin")
        ),
        Window(days=frozenset(range(7)), opens=90, closes=1440, zone=ZoneInfo("UTC")),
    )
    assert found.excepted == {Severity.CRITICAL}


def test_a_pool_has_windows_of_its_own_or_those_of_the_cluster(tmp_path: Path) -> None:
    policy = read(tmp_path, '  windows: {open: [{from: "22:00", to: "06:00"}]}\n')

    assert policy.windows_of("free") == ALWAYS
    assert policy.windows_of("h100") == policy.windows_of("default") == policy.windows
    (busy,) = policy.windows_of("busy").open
    assert (busy.days, busy.closes) == (frozenset({4, 5, 6, 0}), 1320)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ('{from: "25:00", to: "06:00"}', 'windows.open[0].from: expected a time from "00:00"'),
        ('{from: "24:00", to: "06:00"}', 'from "00:00" to "23:59", got \'24:00\''),
        ('{from: 22, to: "06:00"}', "windows.open[0].from: expected a time"),
        ('{from: "10:00", to: noon}', 'from "00:00" to "24:00", got \'noon\''),
        ('{days: [], from: "1:00", to: "2:00"}', "days: expected at least one day"),
        (
            '{days: [monday], from: "1:00", to: "2:00"}',
            "windows.open[0].days[0]: expected a day or days such as mon-fri, got 'monday'",
        ),
        ('{days: [mon-], from: "1:00", to: "2:00"}', "got 'mon-'"),
        (
            '{from: "1:00", to: "2:00", zone: Europe/Berln}',
            "windows.open[0].zone: no time zone named 'Europe/Berln'; nearest of",
        ),
        ('{from: "1:00", to: "2:00", zone: ../etc/passwd}', "no time zone named"),
    ],
)
def test_a_window_that_is_none_is_named(tmp_path: Path, window: str, said: str) -> None:
    assert said in mistakes(tmp_path, f"  windows: {{open: [{window}]}}\n")


def test_approvals_are_read(tmp_path: Path) -> None:
    text = "  approvals: [{action: [replace], pool: [h100, default]}, {severity: [warning]}, {}]\n"

    assert read(tmp_path, text).approvals == (
        Approval(actions=frozenset({"replace"}), pools=frozenset({"h100", "default"})),
        Approval(severities=frozenset({Severity.WARNING})),
        Approval(),
    )


def test_names_that_mean_nothing_are_named(tmp_path: Path) -> None:
    known = {"action": ("drain", "replace"), "rule": ("full",)}
    text = "  approvals: [{action: [replcae]}, {pool: [h10]}, {rule: [ful]}]\n"

    said = mistakes(tmp_path, text, known)

    assert "approvals[0].action[0]: no action named replcae; known are drain, replace" in said
    assert "approvals[1].pool[0]: no pool named h10; known are busy, default, free, h100" in said
    assert "approvals[2].rule[0]: no rule named ful; known are full" in said


def test_the_rules_and_remedies_that_there_are_are_known(tmp_path: Path) -> None:
    (tmp_path / "full.yaml").write_text(RULE)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + "  approvals: [{rule: [ful]}, {action: [reset]}]\n")

    with pytest.raises(ProblemsError) as caught:
        load.book(tmp_path, path, files.CHECKS)

    assert "no rule named ful" in str(caught.value)
    assert "no action named reset" in str(caught.value)


@pytest.mark.parametrize(("text", "needs"), [("", False), ("  approval: required\n", True)])
def test_a_rule_may_want_a_persons_word(tmp_path: Path, text: str, *, needs: bool) -> None:
    (tmp_path / "full.yaml").write_text(RULE + text)

    (rule,) = load.rules(tmp_path, files.remedy).rules

    assert rule.needs_approval is needs
