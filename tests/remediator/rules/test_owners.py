"""The owner of the machines is named in the policy, with settings where it needs them."""

from pathlib import Path

import pytest

from remediator.files import owner, sink
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import Policy

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  provider: {}
"""


def read(directory: Path, provider: str) -> Policy:
    path = directory / "policy.yaml"
    path.write_text(POLICY.replace("{}", provider))
    return load.policy(path, sink, owner)


@pytest.mark.parametrize("written", ["simulator", "{simulator: {}}"])
def test_an_owner_without_settings_is_named(tmp_path: Path, written: str) -> None:
    policy = read(tmp_path, written)

    assert (policy.provider, dict(policy.provider_settings)) == ("simulator", {})


def test_without_an_owner_nobody_is_asked(tmp_path: Path) -> None:
    assert read(tmp_path, '""').provider == ""


def test_an_owner_may_have_settings(tmp_path: Path) -> None:
    policy = read(tmp_path, "{webhook: {url: 'https://x/y', secretFile: /s, timeout: 5s}}")

    assert policy.provider == "webhook"
    assert owner(policy.provider, policy.provider_settings) is not None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("sapient", "no provider named 'sapient'; known are simulator, webhook"),
        ("webhook", "webhook.url: expected text, got nothing"),
        ("{webhook: {url: x, secretFile: s}}", "webhook: url: expected one such as https://host"),
        ("{simulator: {}, webhook: {}}", "expected one owner of machines, got simulator, webhook"),
        ("{}", "expected one owner of machines, got nothing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, written: str, says: str) -> None:
    with pytest.raises(ProblemsError) as found:
        read(tmp_path, written)

    (problem,) = found.value.problems
    assert problem.line == 5
    assert problem.message.startswith(f"spec.provider: {says}")
