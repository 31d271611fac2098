"""What no repair will mend is told; what a repair mends is not told twice."""

import pytest

from nodehealth import keys
from nodehealth.repair import Mode, Severity
from remediator.decide import plan
from remediator.decide.answers import Truth
from remediator.decide.faults import told
from remediator.decide.judge import Judgement, Mark
from remediator.rules.alerting import Alerting
from remediator.rules.policy import Policy
from tests.builders import NOON, node, rule, rules

ENFORCE = Policy(mode=Mode.ENFORCE)
WARNING = rule(name="warning", severity=Severity.WARNING, ladder=())
OFF = rule(name="off", mode=Mode.OFF, ladder=())
KNOWN = rules(rule(), WARNING, OFF)
WELL, SICK = (
    Judgement(
        marks={
            each.name: Mark(truth=truth, since=NOON, confirmed=since, evidence=("it is so",))
            for each in KNOWN.rules
        }
    )
    for truth, since in ((Truth.FALSE, None), (Truth.HOLDS, NOON))
)


def test_a_rule_without_a_ladder_that_holds_is_told_and_opens_no_repair() -> None:
    only = rules(WARNING)
    (fault,) = told(node(), SICK, only, ENFORCE)

    assert (fault.node, fault.node_uid, fault.rule) == ("n1", "uid-n1", "warning")
    assert (fault.severity, fault.since, fault.evidence) == (Severity.WARNING, NOON, ("it is so",))
    assert plan.begin(node(), SICK, (), only, ENFORCE) is None


def test_what_does_not_hold_is_not_told() -> None:
    assert told(node(), WELL, KNOWN, ENFORCE) == ()


@pytest.mark.parametrize(("mode", "names"), [(Mode.OBSERVE, ["warning"]), (Mode.OFF, [])])
def test_the_policy_may_switch_telling_off_but_observing_tells(
    mode: Mode, names: list[str]
) -> None:
    faults = told(node(), SICK, KNOWN, Policy(mode=mode))

    assert [(each.rule, each.mode) for each in faults] == [(name, mode) for name in names]


def test_whose_node_it_is_says_the_label_that_the_policy_names() -> None:
    policy = Policy(mode=Mode.ENFORCE, alerts=Alerting(team="team"))

    (fault,) = told(node(labels={"team": "ml"}), SICK, rules(WARNING), policy)

    assert fault.team == "ml"


def test_of_a_control_plane_which_no_repair_touches_everything_is_told() -> None:
    spared = node(labels={keys.CONTROL_PLANE_LABEL: ""})

    assert {each.rule for each in told(spared, SICK, KNOWN, ENFORCE)} == {"disk-full", "warning"}
