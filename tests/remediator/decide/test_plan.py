"""One repair a node, for the worst of its faults that something may be done about."""

from dataclasses import replace

import pytest
from msgspec import structs

from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.repair import (
    BurnIn,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
    Severity,
)
from remediator.decide import plan
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, Mark
from remediator.decide.moves import Reason
from remediator.rules.policy import CLUSTER, DEFAULT_POOL, Limit, Policy, Pool
from remediator.rules.policy import BurnIn as Asked
from tests.builders import NOON, at, node, question, repair, rule, rules

ENFORCE = Policy(mode=Mode.ENFORCE)


def judged(*names: str, truth: Truth = Truth.HOLDS) -> Judgement:
    marks = {
        name: Mark(truth=truth, since=NOON, confirmed=NOON, evidence=("it is full",), parts=("/",))
        for name in names
    }
    return Judgement(marks=marks)


def begun(
    *past: NodeRepair, policy: Policy = ENFORCE, faults: tuple[str, ...] = ("disk-full",)
) -> NodeRepair | None:
    known = rules(rule(), rule(name="minor", severity=Severity.WARNING))
    return plan.begin(node(), judged(*faults), past, known, policy)


def test_a_fault_opens_a_repair_that_freezes_its_plan() -> None:
    opened = begun()

    assert opened is not None
    assert opened.metadata.name == "n1-uid-n1-1"
    assert [rung.action for rung in opened.spec.ladder] == ["drain", "replace"]
    assert opened.spec.target.gpus == 8
    assert opened.spec.target.pool == DEFAULT_POOL
    assert opened.spec.evidence == ("it is full",)
    assert opened.spec.parts == ("/",)
    assert opened.spec.verify_seconds == 60


def test_of_equally_bad_faults_the_one_whose_remedies_reach_furthest_leads() -> None:
    near, far = rule(name="near", ladder=("drain", "reboot")), rule(name="far")

    opened = plan.begin(node(), judged("near", "far"), (), rules(near, far), ENFORCE)

    assert opened is not None
    assert opened.spec.rule == "far"


def test_what_holds_too_and_has_a_remedy_joins_an_open_repair() -> None:
    told = rule(name="told", ladder=())
    watched = replace(
        rule(name="watched", mode=Mode.OBSERVE, verify=90), burn_in=Asked(template="t")
    )
    known = rules(rule(), told, watched, rule(name="there"))
    open_ = repair(status=NodeRepairStatus(faults=(Joined(rule="there", since=NOON),)))
    held = judged("disk-full", "told", "watched", "there", "unheard-of")

    (found,) = plan.joining(open_, held, known, ENFORCE, at(5))

    assert found == Joined(
        rule="watched",
        mode=Mode.OBSERVE,
        since=at(5),
        ladder=watched.ladder,
        verify_seconds=90,
        burn_in=BurnIn(template="t", deadline_seconds=1800),
        evidence=("it is full",),
        parts=("/",),
    )


def test_a_rule_that_is_gone_lets_a_fault_that_joined_go_nowhere() -> None:
    known = rules(rule(mode=Mode.OBSERVE))

    assert plan.allowed("disk-full", known, ENFORCE) is Mode.OBSERVE
    assert plan.allowed("gone", known, ENFORCE) is Mode.OFF


def test_a_healthy_node_needs_no_repair() -> None:
    assert begun(faults=()) is None


@pytest.mark.parametrize("truth", [Truth.FALSE, Truth.UNKNOWN, Truth.SUSPECTED])
def test_a_fault_that_is_not_over_but_does_not_hold_now_opens_nothing(truth: Truth) -> None:
    opened = plan.begin(node(), judged("disk-full", truth=truth), (), rules(rule()), ENFORCE)

    assert opened is None


def test_a_rule_that_was_taken_away_opens_nothing() -> None:
    assert begun(faults=("unheard-of",)) is None


def test_a_node_has_one_open_repair_at_most() -> None:
    assert begun(repair(phase=Phase.NEEDS_HUMAN)) is None
    assert begun(repair(phase=Phase.RECOVERED)) is not None
    assert begun(repair("n2")) is not None


def test_a_rule_that_may_act_comes_before_a_worse_one_that_may_only_observe() -> None:
    watched = rule(mode=Mode.OBSERVE)
    known = rules(watched, rule(name="minor", severity=Severity.WARNING))

    opened = plan.begin(node(), judged("disk-full", "minor"), (), known, ENFORCE)

    assert opened is not None
    assert opened.spec.rule == "minor"


def test_a_repair_that_only_observes_is_eclipsed_by_a_rule_that_may_act() -> None:
    known = rules(rule(mode=Mode.OBSERVE), rule(name="minor", severity=Severity.WARNING))
    both, alone = judged("disk-full", "minor"), judged("disk-full")
    watching = repair(mode=Mode.OBSERVE)

    assert plan.eclipsing(watching, both, known, ENFORCE) is known.by_name["minor"]
    assert plan.eclipsing(watching, alone, known, ENFORCE) is None
    assert plan.eclipsing(watching, both, known, Policy(mode=Mode.OBSERVE)) is None
    assert plan.eclipsing(repair(), both, known, ENFORCE) is None


def test_what_no_repair_would_be_begun_for_eclipses_none() -> None:
    known = rules(rule(mode=Mode.OBSERVE), rule(name="minor", severity=Severity.WARNING))
    both = judged("disk-full", "minor")
    for truth in (Truth.FALSE, Truth.UNKNOWN, Truth.SUSPECTED):
        marks = {**both.marks, "minor": replace(both.marks["minor"], truth=truth)}

        assert plan.eclipsing(
            repair(mode=Mode.OBSERVE), Judgement(marks=marks), known, ENFORCE
        ) is (None)


def test_the_next_repair_of_a_machine_has_the_next_number() -> None:
    past = repair(phase=Phase.RECOVERED)
    fourth = structs.replace(past, metadata=structs.replace(past.metadata, name="n1-uid-n1-4"))

    opened = begun(past, fourth)

    assert opened is not None
    assert opened.metadata.name == "n1-uid-n1-5"


def test_a_node_of_the_control_plane_is_left_alone() -> None:
    labels = {CONTROL_PLANE_LABEL: ""}
    judged_sick = judged("disk-full")

    known = rules(rule())

    assert plan.begin(node(labels=labels), judged_sick, (), known, ENFORCE) is None
    opted_in = replace(ENFORCE, control_plane=True)
    assert plan.begin(node(labels=labels), judged_sick, (), known, opted_in) is not None


def test_the_worst_fault_gives_the_ladder() -> None:
    opened = begun(faults=("minor", "disk-full"))

    assert opened is not None
    assert opened.spec.rule == "disk-full"


def test_the_stricter_mode_wins() -> None:
    watching = begun(policy=Policy(mode=Mode.OBSERVE))

    assert watching is not None
    assert watching.spec.mode is Mode.OBSERVE
    assert begun(policy=Policy(mode=Mode.OFF)) is None
    assert plan.mode(rule(mode=Mode.OBSERVE), ENFORCE) is Mode.OBSERVE


def test_a_node_without_gpus_has_none() -> None:
    assert plan.target(node(gpus="many"), ENFORCE).gpus == 0


def test_a_node_belongs_to_the_first_pool_that_fits() -> None:
    limit = Limit(cordoned=(1,), disrupted=(1,))
    pools = (
        Pool(name="h100", labels={"gpu": "h100"}, limit=limit),
        Pool(name="rest", labels={}, limit=limit),
    )
    policy = Policy(pools=pools, limit=limit)

    assert plan.target(node(labels={"gpu": "h100"}), policy).pool == "h100"
    assert plan.target(node(), policy).pool == "rest"
    assert policy.limit_of("rest") == limit
    assert policy.limit_of(CLUSTER) == limit


def test_a_node_is_held_for_a_repair_until_that_is_parked_or_over() -> None:
    let_go = {each for each in Phase if not plan.may_hold(repair(phase=each))}

    assert let_go == {Phase.PARKED, Phase.RECOVERED}


def test_only_rules_that_ask_something_else_have_changed() -> None:
    before = rules(rule(), rule(name="gone"), rule(question(lasts=30), name="longer"))
    after = rules(
        rule(quiet=5, ladder=()),
        rule(name="new"),
        rule(question(lasts=60), name="longer"),
    )

    assert plan.changed(before, after) == {"longer"}
    assert plan.changed(after, after) == frozenset()


def test_a_rule_that_was_gone_a_moment_ago_begins_nothing_until_replicas_agree() -> None:
    ended = NodeRepairStatus(
        phase=Phase.RECOVERED,
        reason=Reason.RULE_GONE,
        timeline=(PhaseTime(phase=Phase.RECOVERED, at=NOON),),
    )
    past, fresh = repair(status=ended), repair()

    assert plan.settles_until(fresh, [past], NOON) == NOON + plan.SETTLES
    assert plan.settles_until(fresh, [past], NOON + plan.SETTLES) is None
    assert plan.settles_until(fresh, [repair()], NOON) is None
