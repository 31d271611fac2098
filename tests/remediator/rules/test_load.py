"""A broken file is answered with every mistake at once: where, what was expected, what is there."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import yaml

from nodehealth.catalogue import CATALOGUE
from nodehealth.repair import Mode, Severity
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import CLUSTER, CLUSTER_LIMIT, POOL_LIMIT, Limit, Rate
from remediator.rules.rule import Combine
from remediator.rules.terms import PolicySpec

SHIPPED = Path(__file__).parents[3] / "rules"

GOOD = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: critical
  when:
    any:
      - {signal: disk.free_ratio, where: "value < 0.05", for: 30s}
      - {signal: gpu.xid, where: "code in [48, 79]", within: 10m, count: 2}
  ladder: [drain: {deadline: 5m}, replace]
"""

BELL = (
    "rule.yaml:1: no valid YAML: unacceptable character #x0007: control characters are not allowed"
)

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  limits: {disrupted: ["5%", 3]}
  pools:
    - {name: h100, labels: {gpu: h100}, limits: {cordoned: 2, disrupted: 1}}
"""


def complaints(directory: Path, text: str) -> list[str]:
    (directory / "rule.yaml").write_text(text)
    with pytest.raises(ProblemsError) as found:
        load.rules(directory, remedy)
    return [str(each).removeprefix(f"{directory}/") for each in found.value.problems]


def policy_complaints(directory: Path, text: str) -> list[str]:
    path = directory / "policy.yaml"
    path.write_text(text)
    with pytest.raises(ProblemsError) as found:
        load.policy(path)
    return [str(each).removeprefix(f"{directory}/") for each in found.value.problems]


def test_the_shipped_rules_and_policy_are_good_and_only_watch() -> None:
    assert load.rules(SHIPPED, remedy).rules
    assert load.policy(SHIPPED / load.POLICY_FILE).mode is Mode.OBSERVE


def test_the_shipped_policy_shows_every_setting_that_there_is() -> None:
    written = yaml.safe_load((SHIPPED / load.POLICY_FILE).read_text(encoding="utf-8"))["spec"]

    assert written.keys() == {each.encode_name for each in msgspec.structs.fields(PolicySpec)}


def test_a_good_rule_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "rule.yaml").write_text(GOOD)
    (tmp_path / "gpu" / "rule_test.yaml").write_text("its tests are no rule")
    (tmp_path / "policy.yaml").write_text("nor is the policy")

    (rule,) = load.rules(tmp_path, remedy).rules

    assert (rule.name, rule.severity, rule.combine) == ("full", Severity.CRITICAL, Combine.ANY)
    assert [question.signal.name for question in rule.questions] == ["disk.free_ratio", "gpu.xid"]
    assert [(rung.action, dict(rung.settings)) for rung in rule.ladder] == [
        ("drain", {"deadline": "5m"}),
        ("replace", {}),
    ]


def test_the_digest_changes_with_a_rule(tmp_path: Path) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text(GOOD)
    before = load.rules(tmp_path, remedy).digest
    path.write_text(GOOD.replace("30s", "31s"))

    assert load.rules(tmp_path, remedy).digest != before


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            "disk.free_ratio",
            "disk.free_rato",
            (
                "rule.yaml:9: spec.when.any[0].signal: unknown signal disk.free_rato; nearest of "
                f"{len(CATALOGUE)} are disk.free_ratio, disk.free_inodes_ratio, "
                "limits.files_free_ratio"
            ),
        ),
        (
            "value < 0.05",
            "value < 0.052",
            (
                "rule.yaml:9: spec.when.any[0].where: disk.free_ratio only takes "
                "multiples of 0.005 up to 0.25 and of 0.25 beyond, "
                "got 0.052; the nearest is 0.05"
            ),
        ),
        (
            "for: 30s",
            "for: soon",
            (
                "rule.yaml:9: spec.when.any[0].for: expected a duration such as 90s, 5m or 1h30m, "
                "got 'soon'"
            ),
        ),
        (
            "code in",
            "cod in",
            (
                "rule.yaml:10: spec.when.any[1].where: 'cod in [48, 79]': column 1: unknown name "
                '"cod"; known are action, code, link, node, pci, severity, subject, unit; did you '
                "mean code?"
            ),
        ),
        (
            "within: 10m",
            "within: 2d",
            "rule.yaml:10: spec.when.any[1].within: agents remember one day, got 2d",
        ),
        (
            "within: 10m, count: 2",
            "within: 12m, count: 20",
            (
                "rule.yaml:10: spec.when.any[1].within: more than 16 times are only counted in "
                "whole buckets: expected 5m, 10m and so on up to 55m, or 1h, 2h and so on up to "
                "23h, got 12m"
            ),
        ),
        (
            "within: 10m",
            "for: 10m",
            (
                "rule.yaml:10: spec.when.any[1]: gpu.xid is an event: it has no "
                "`for`; ask `within` "
                "and `count`"
            ),
        ),
        (
            "for: 30s",
            "count: 2",
            (
                "rule.yaml:9: spec.when.any[0]: disk.free_ratio is a level: it has no `within`, "
                "`count` or `since`; ask `for`"
            ),
        ),
        (
            "replace]",
            "repalce]",
            (
                "rule.yaml:11: spec.ladder[1]: no action named 'repalce'; known are drain, "
                "power-cycle, reboot, replace, reset-gpu, restart-service, run-job, webhook"
            ),
        ),
        (
            "deadline: 5m",
            "dedline: 5m",
            (
                "rule.yaml:11: spec.ladder[0]: drain.dedline: unknown setting; "
                "known are deadline, wait_completed, on_deadline"
            ),
        ),
        (
            "drain: {deadline: 5m}, replace",
            "{drain: {}, replace: {}}",
            "rule.yaml:11: spec.ladder[0]: expected one remedy a rung, got drain, replace",
        ),
        (
            "[drain: {deadline: 5m}, replace]",
            "[]",
            (
                "rule.yaml:11: spec.ladder: expected remedies, or `ladder: none` for what only "
                "people are told; got neither"
            ),
        ),
        (
            "about:",
            "abuot:",
            (
                "rule.yaml:5: spec.abuot: there is no such setting; known are "
                "about, approval, clears, condition, cooldown, ladder, mode, onRecovery, runbook, "
                "severity, verify, when; did you mean about?"
            ),
        ),
        (
            "    any:\n",
            "    signal: gpu.xid\n    any:\n",
            "rule.yaml:7: spec.when: expected one of signal, any or all, got signal and any",
        ),
        (
            "- {signal: gpu.xid",
            "- {any: [{signal: gpu.xid}], signal: gpu.xid",
            (
                "rule.yaml:10: spec.when.any[1]: expected one question to one signal; "
                "any and all are "
                "not nested"
            ),
        ),
        ("kind: Rule\n", "kind: Rule\nkind: Rule\n", "rule.yaml:3: the key kind is there twice"),
        (
            "severity: critical",
            "severity: fatal",
            "rule.yaml:6: spec.severity: there is no 'fatal'; known are critical, info, warning",
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_what_is_valid(
    tmp_path: Path, good: str, bad: str, says: str
) -> None:
    assert good in GOOD

    assert complaints(tmp_path, GOOD.replace(good, bad)) == [says]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("0.05", "0.052").replace("30s", "soon").replace("replace]", "repalce]")

    assert len(complaints(tmp_path, text)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rule.yaml:1: the file is empty"),
        ("a: [1", "rule.yaml:2: no valid YAML: did not find expected ',' or ']'"),
        ("a: &a [*a]", "rule.yaml:1: an alias stands within what it stands for"),
        ("{[1]: 2}", "rule.yaml:1: no valid YAML: found unhashable key"),
        ("\x07", BELL),
        ("- 1", "rule.yaml:1: expected a mapping, got a list"),
    ],
)
def test_what_is_no_rule_at_all_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert complaints(tmp_path, text) == [says]


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(GOOD)

    (found,) = complaints(tmp_path, GOOD)

    assert found == f"rule.yaml:3: metadata.name: {tmp_path}/other.yaml:3 is named full too"


@pytest.mark.parametrize("name", ["full.yml", "full_test.yml"])
def test_a_file_that_would_be_passed_over_for_its_name_is_a_mistake(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)
    (tmp_path / name).write_text(GOOD)
    said = f"{tmp_path / name}:1: expected a name that ends in .yaml, got {name}; nothing is read"

    for checked in (tmp_path, tmp_path / name):
        with pytest.raises(ProblemsError, match=re.escape(said)):
            load.rules(checked, remedy)


def test_a_mounted_config_map_is_read_once_through_its_links(tmp_path: Path) -> None:
    newest = tmp_path / "..2026_01_01"
    (newest / "gpu").mkdir(parents=True)
    (newest / "gpu" / "rule.yaml").write_text(GOOD)
    (newest / "plain.yaml").write_text(GOOD.replace("name: full", "name: plain"))
    (tmp_path / "..data").symlink_to(newest.name)
    (tmp_path / "gpu").symlink_to("..data/gpu")
    (tmp_path / "plain.yaml").symlink_to("..data/plain.yaml")

    assert set(load.rules(tmp_path, remedy).by_name) == {"full", "plain"}


def test_patterns_of_the_kernels_log_lie_beside_the_rules_and_are_none(tmp_path: Path) -> None:
    (tmp_path / "full.yaml").write_text(GOOD)
    (tmp_path / "below").mkdir()
    patterns = tmp_path / "below" / "mine_patterns.yaml"
    patterns.write_text("kind: KernelPatterns")

    assert [rule.name for rule in load.rules(tmp_path, remedy).rules] == ["full"]
    assert load.pattern_files(tmp_path) == load.pattern_files(patterns) == [patterns]
    assert load.pattern_files(tmp_path / "full.yaml") == []


def test_a_file_that_holds_no_rule_is_named_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("kind: Policy", encoding="utf-8")
    (tmp_path / "notes.md").write_text("notes", encoding="utf-8")

    with pytest.raises(ProblemsError, match=r"policy.yaml:1: expected rules, got the policy"):
        load.rules(tmp_path / "policy.yaml", remedy)
    with pytest.raises(ProblemsError, match=r"notes.md:1: expected a file of a rule"):
        load.rules(tmp_path / "notes.md", remedy)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="expected a directory of rules, found none"):
        load.rules(tmp_path / "absent", remedy)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="cannot be read"):
        load.policy(tmp_path / "absent.yaml")


def test_a_policy_keeps_what_it_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)

    policy = load.policy(path)

    assert policy.limit_of(CLUSTER) == replace(CLUSTER_LIMIT, disrupted=("5%", 3))
    assert policy.limit_of("h100") == replace(POOL_LIMIT, cordoned=(2,), disrupted=(1,))
    assert policy.limit_of("default") == POOL_LIMIT


def test_a_policy_says_how_fast_and_what_a_small_pool_may(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    rate = "rate: {cordons: unlimited, disruptions: {most: 1/30m, burst: 3}}"
    path.write_text(
        POLICY.replace("limits: {cordoned: 2", f"{rate}, limits: {{smallPool: 1, cordoned: 2")
    )

    limit = load.policy(path).limit_of("h100")

    assert (limit.small_pool, limit.cordons) == (1, None)
    assert limit.disruptions == Rate(most=1, per=timedelta(minutes=30), burst=3)


def test_a_policy_says_how_many_nodes_a_pool_ought_to_have(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("name: h100", "name: h100, desired: 40"))

    assert [each.desired for each in load.policy(path).pools] == [40]


@pytest.mark.parametrize(
    ("said", "most"), [("", 1), ("perGang: 3, ", 3), ("perGang: unlimited, ", None)]
)
def test_a_policy_says_how_many_nodes_a_gang_may_lose(
    tmp_path: Path, said: str, most: int | None
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("{disrupted:", f"{{{said}disrupted:"))

    assert load.policy(path).per_gang == most


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            "{disrupted:",
            "{perGang: 0, disrupted:",
            "policy.yaml:5: spec.limits.perGang: expected at least 1, got 0",
        ),
        (
            "{cordoned: 2",
            "{perGang: 1, cordoned: 2",
            (
                "policy.yaml:7: spec.pools[0].limits.perGang: there is no such setting; known are "
                "cordoned, disrupted, smallPool"
            ),
        ),
        (
            '"5%"',
            '"105%"',
            (
                "policy.yaml:5: spec.limits.disrupted: expected a count such as 3 or a percentage "
                "such as 10%, got '105%'"
            ),
        ),
        (
            "name: h100",
            "name: cluster",
            "policy.yaml:7: spec.pools[0].name: cluster is taken; a pool needs a name of its own",
        ),
        (
            "{disrupted:",
            "{smallPool: 2, disrupted:",
            "policy.yaml:5: spec.limits.smallPool: expected at most 1, got 2",
        ),
        (
            "spec:\n",
            "spec:\n  rate: {cordons: {most: fast, burst: 1}}\n",
            (
                "policy.yaml:4: spec.rate.cordons.most: expected a rate such as 20/m, 6/h or "
                "1/30m, got 'fast'"
            ),
        ),
        (
            "limits: {cordoned",
            "rate: {disruptions: {most: 1/d, burst: 8}}, limits: {cordoned",
            (
                "policy.yaml:7: spec.pools[0].rate.disruptions: a burst of 8 takes longer than 7d "
                "to come again"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  rate: {cordons: never}\n",
            (
                "policy.yaml:4: spec.rate.cordons: expected unlimited or a mapping of most, burst, "
                "got 'never'"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  gpuClients: {labels: {}}\n",
            "policy.yaml:4: spec.gpuClients.labels: expected at least one label, got none",
        ),
        (
            "spec:\n",
            "spec:\n  gpuClients: {daemonSets: [plugin]}\n",
            "policy.yaml:4: spec.gpuClients.daemonSets[0]: expected namespace/name, got 'plugin'",
        ),
        (
            "spec:\n",
            "spec:\n  condemned: {gpus: 1}\n",
            "policy.yaml:4: spec.condemned.gpus: expected at least 2, got 1",
        ),
        (
            "spec:\n",
            "spec:\n  condemned: {within: 1000d}\n",
            "policy.yaml:4: spec.condemned.within: repairs are remembered for 90d, got 1000d",
        ),
        (
            "spec:\n",
            "spec:\n  condemned: always\n",
            (
                "policy.yaml:4: spec.condemned: expected never or a mapping of gpus, hosts, "
                "within, got 'always'"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  domains: [{label: zone}]\n",
            (
                "policy.yaml:4: spec.domains[0]: expected a limit, as in "
                "`limits: {disrupted: 1}`, got none"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  domains: [&a {label: a, limits: {disrupted: 1}}, *a]\n",
            "policy.yaml:4: spec.domains[1].label: a is there twice",
        ),
        (
            "spec:\n",
            "spec:\n  domains: [{label: a, limits: {disrupted: some}}]\n",
            (
                "policy.yaml:4: spec.domains[0].limits.disrupted: expected a count such as 3 or a "
                "percentage such as 10%, got 'some'"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  drain: {settle: never}\n",
            (
                "policy.yaml:4: spec.drain.settle: expected a duration such as 90s, 5m or 1h30m, "
                "got 'never'"
            ),
        ),
    ],
)
def test_a_mistake_in_the_policy_is_named(tmp_path: Path, good: str, bad: str, says: str) -> None:
    assert policy_complaints(tmp_path, POLICY.replace(good, bad)) == [says]


def test_a_policy_limits_domains_by_their_label(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    domain = "{label: topology.kubernetes.io/zone, limits: {disrupted: 20%}}"
    rate = "{cordons: {most: 1/m, burst: 1}}"
    rack = f"{{label: rack, limits: {{disrupted: 1, smallPool: 1}}, rate: {rate}}}"
    opted_in = "controlPlane: {repair: true}"
    path.write_text(
        POLICY.replace("spec:\n", f"spec:\n  domains: [{domain}, {rack}]\n  {opted_in}\n")
    )

    policy = load.policy(path)

    assert policy.limit_of("topology.kubernetes.io/zone=a") == Limit(
        cordoned=("100%",), disrupted=("20%",)
    )
    minutely = Rate(most=1, per=timedelta(minutes=1), burst=1)
    assert policy.limit_of("rack=7") == Limit(
        cordoned=("100%",), disrupted=(1,), small_pool=1, cordons=minutely
    )
    assert policy.control_plane


def test_who_holds_gpus_is_named_with_the_labels_at_which_they_give_way(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    head = "apiVersion: nodemend.dev/v1alpha1\nkind: Policy\nspec:\n  gpuClients:\n"
    path.write_text(f"{head}    daemonSets: [gpu-operator/dcgm]\n", encoding="utf-8")
    named = load.policy(path).gpu_clients
    path.write_text(f"{head}    labels: {{a/b: 'false'}}\n", encoding="utf-8")
    labelled = load.policy(path).gpu_clients

    assert named.daemon_sets == {("gpu-operator", "dcgm")}
    assert named.labels == {"nodemend.dev/gpu-clients": "paused"}
    assert labelled.labels == {"a/b": "false"}
