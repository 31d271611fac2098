"""What has to pass on a mended node is read from the rule and from the policy."""

from datetime import timedelta
from pathlib import Path

import pytest

from remediator.files import remedy
from remediator.rules import compile as compiling
from remediator.rules import documents, load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import JOBS_NAMESPACE, BurnIn, Hook, Policy
from remediator.rules.rule import Rule

RULE = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: warning
  when: {signal: disk.free_ratio, where: "value < 0.05"}
  ladder: [drain, {run-job: {template: fix, deadline: 10m, purpose: diagnosis}}, replace]
  verify: VERIFY
"""
POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  jobs: JOBS
"""


def rule(verify: str) -> Rule:
    return compiling.rule(documents.parse("full.yaml", RULE.replace("VERIFY", verify)), remedy)


def policy(directory: Path, jobs: str) -> Policy:
    path = directory / "policy.yaml"
    path.write_text(POLICY.replace("JOBS", jobs))
    return load.policy(path)


def test_the_short_form_says_only_how_long() -> None:
    read = rule("7m")

    assert (read.verify, read.burn_in) == (timedelta(minutes=7), None)


def test_the_long_form_says_what_has_to_pass_too() -> None:
    read = rule("{for: 7m, burnIn: {template: stress, deadline: 20m}}")

    assert read.verify == timedelta(minutes=7)
    assert read.burn_in == BurnIn(template="stress", deadline=timedelta(minutes=20))
    assert rule("{burnIn: {template: stress}}").verify == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        ("{for: soon}", "spec.verify.for: "),
        ("{burnIn: {template: a, deadline: 0s}}", "spec.verify.burnIn.deadline: expected more"),
        ("{burnIn: {deadline: 5m}}", "template"),
        ("{burnin: {template: a}}", "burnin"),
    ],
)
def test_mistakes_are_named_with_their_place(verify: str, said: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        rule(verify)

    assert said in str(caught.value)


def test_a_policy_says_where_jobs_run_and_what_has_to_pass_on_every_node(tmp_path: Path) -> None:
    read = policy(tmp_path, "{namespace: sre, burnIn: {template: stress}}")

    assert read.jobs_namespace == "sre"
    assert read.burn_in == BurnIn(template="stress")
    assert policy(tmp_path, "{}").jobs_namespace == JOBS_NAMESPACE


def test_a_policys_mistakes_are_named_too(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match=r"spec\.jobs\.burnIn\.deadline"):
        policy(tmp_path, "{burnIn: {template: a, deadline: -1m}}")


def hooks(directory: Path, written: str) -> Policy:
    path = directory / "policy.yaml"
    text = POLICY.replace("jobs: JOBS", f"webhooks: {written}")
    path.write_text(text)
    return load.policy(path)


def test_a_policy_names_the_web_services_that_ladders_may_name(tmp_path: Path) -> None:
    read = hooks(tmp_path, "{sre: {url: https://x/y, secretFile: /s, timeout: 5s}}")

    assert read.webhooks == {
        "sre": Hook(url="https://x/y", secret_file="/s", timeout=timedelta(seconds=5))
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{sre: {url: x, secretFile: /s}}", "spec.webhooks.sre.url"),
        ("{sre: {url: https://x}}", "secretFile"),
        ("{sre: {url: https://x, secretFile: /s, timeout: 31s}}", "at most 30s, got 31s"),
    ],
)
def test_mistakes_in_web_services_are_named(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        hooks(tmp_path, written)

    assert said in str(caught.value)
