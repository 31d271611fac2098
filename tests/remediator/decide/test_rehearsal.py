"""A test case is played by the real judge: what it shows is what would happen."""

from collections.abc import Mapping

import msgspec

from nodehealth import quantities
from remediator.decide.rehearsal import Rehearsal, rehearse
from remediator.rules.cases import Case, Step
from remediator.rules.rule import Rule
from remediator.rules.stories import StepGiven, Verdict
from tests.builders import question, rule

FULL = {"signal": "disk.free_ratio", "subject": "/", "value": 0.01}
ROOMY = {**FULL, "value": 0.5}
DUNNO = {**FULL, "value": "unknown"}
XID = {"signal": "gpu.xid", "subject": "GPU-1", "fields": {"code": 79}}


def played(asked: Rule, *steps: Mapping[str, object]) -> Rehearsal:
    given = [msgspec.convert(step, StepGiven) for step in steps]
    story = tuple(Step(at=quantities.duration(step.at), given=step) for step in given)
    return rehearse(asked, Case(place="here:1", rule=asked.name, name="a story", steps=story))


def verdicts(asked: Rule, *steps: Mapping[str, object]) -> list[str]:
    return [str(moment.found) for moment in played(asked, *steps).moments]


def test_a_fault_goes_from_suspected_to_well() -> None:
    found = verdicts(
        rule(question(lasts=30), quiet=60),
        {"at": "0s"},
        {"at": "1s", "levels": [FULL]},
        {"at": "31s"},
        {"at": "32s", "levels": [DUNNO]},
        {"at": "33s", "levels": [ROOMY]},
        {"at": "92s"},
        {"at": "93s"},
    )

    assert found == ["unknown", "suspected", "holds", "stands", "clearing", "clearing", "well"]


def test_what_happens_between_two_steps_is_looked_at_when_it_is_due() -> None:
    later = {"at": "2h", "levels": [ROOMY]}

    assert verdicts(rule(question(lasts=30)), {"at": "0s", "levels": [FULL]}, later) == [
        "suspected",
        "clearing",
    ]


def test_a_silent_agents_last_word_gets_stale_and_a_new_one_is_fresh() -> None:
    found = verdicts(
        rule(),
        {"at": "0s", "levels": [FULL]},
        {"at": "1h", "agent": "silent"},
        {"at": "74m"},
        {"at": "75m"},
        {"at": "76m", "agent": "speaks"},
    )

    assert found == ["holds", "holds", "holds", "stands", "holds"]


def test_a_level_that_does_not_apply_is_well() -> None:
    absent = {**FULL, "value": "notApplicable"}

    assert verdicts(rule(), {"at": "0s", "levels": [absent]}) == ["well"]


def test_a_reboot_forgets_levels_and_begins_a_new_count() -> None:
    two = rule(question(signal="gpu.xid", where="code == 79", count=2), quiet=0)
    found = verdicts(
        two,
        {"at": "0s", "events": [XID]},
        {"at": "1s", "events": [XID]},
        {"at": "2s", "reboot": True},
        {"at": "3s", "events": [XID]},
    )

    assert found == ["well", "holds", "well", "well"]
    assert verdicts(rule(), {"at": "0s", "levels": [FULL]}, {"at": "1s", "reboot": True}) == [
        "holds",
        "stands",
    ]


def test_a_rule_may_ask_for_what_the_node_says_of_itself() -> None:
    asked = rule(question('value < 0.05 && node.labels["pool"] == "h100"'))
    found = verdicts(
        asked,
        {"at": "0s", "node": {"labels": {"pool": "cpu"}}, "levels": [FULL]},
        {"at": "1s", "node": {"labels": {"pool": "h100"}, "conditions": {"Ready": False}}},
    )

    assert found == ["well", "holds"]


def test_what_the_remediator_derives_follows_its_watches_and_the_agents_pod() -> None:
    ready = rule(question("value < 1.0", signal="node.ready"))
    silent = rule(question('value > 0.0 && pod == "Absent"', signal="agent.silent"))

    assert verdicts(
        ready,
        {"at": "0s", "watches": "behind"},
        {"at": "1h"},
        {"at": "2h", "watches": "current"},
    ) == ["well", "unknown", "well"]
    assert verdicts(silent, {"at": "0s", "agent": "silent", "pod": "absent"}, {"at": "1h"}) == [
        "well",
        "holds",
    ]


def test_what_changes_is_told_in_words() -> None:
    first, second, third = played(
        rule(),
        {"at": "0s", "agent": "speaks", "levels": [FULL], "events": [{**XID, "count": 3}]},
        {
            "at": "1s",
            "reboot": True,
            "node": {"conditions": {"Ready": {"status": "unknown", "reason": "NodeStatusUnknown"}}},
        },
        {
            "at": "2s",
            "agent": "silent",
            "pod": "absent",
            "watches": "behind",
            "node": {"conditions": {"Ready": "unknown"}},
        },
    ).moments

    assert first.changes == (
        "the agent speaks, disk.free_ratio of / is 0.01, gpu.xid of GPU-1 (code 79) happens 3 times"
    )
    assert second.changes == (
        "the node boots anew, condition Ready is unknown for NodeStatusUnknown"
    )
    assert third.changes == (
        "the agent falls silent, the agent's pod is absent, "
        "the remediator's watches are behind, condition Ready is unknown"
    )


def test_a_case_is_as_expected_when_every_moment_is() -> None:
    steps = {"at": "0s", "levels": [FULL], "expect": Verdict.HOLDS}, {"at": "1s"}
    wrong = {"at": "2s", "expect": Verdict.WELL}

    assert played(rule(), *steps).is_as_expected()
    assert not played(rule(), *steps, wrong).is_as_expected()
