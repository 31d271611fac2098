"""What the conditions of a Node ought to be, by what holds on it and what we do to it."""

from dataclasses import replace

import pytest
from msgspec import structs

from nodehealth.kube.objects import Condition, Node
from nodehealth.repair import Mode, NodeRepair, NodeRepairStatus, Phase, Severity
from remediator.decide import conditions
from remediator.decide.answers import Truth
from remediator.decide.conditions import Claim
from remediator.decide.judge import Judgement, Mark
from remediator.rules.policy import Conditions, Names, Policy
from remediator.rules.rule import Rule, Sign
from tests.builders import NOON, at, node, repair, rule, rules

STORAGE = Sign(type="StorageReady", reason="DiskFull")
OWN = Sign(type="FlowersReady", reason="Wilted")


def enforcing(
    names: Names = Names.NODEMEND, *, every_node: bool = False, lifecycle: bool = False
) -> Policy:
    shown = Conditions(names=names, every_node=every_node, lifecycle=lifecycle)
    return Policy(mode=Mode.ENFORCE, conditions=shown)


def shown(
    name: str = "disk-full",
    sign: Sign | None = STORAGE,
    severity: Severity = Severity.CRITICAL,
    mode: Mode = Mode.ENFORCE,
) -> Rule:
    return replace(rule(name=name, severity=severity, mode=mode), condition=sign)


def judged(**marks: Mark) -> Judgement:
    return Judgement(marks={name.replace("_", "-"): mark for name, mark in marks.items()})


def mark(truth: Truth, *, confirmed: bool = False, parts: tuple[str, ...] = ()) -> Mark:
    since = at(-3600)
    return Mark(truth=truth, since=since, confirmed=since if confirmed else None, parts=parts)


HOLDS, OVER, DARK = (
    mark(Truth.HOLDS, confirmed=True),
    mark(Truth.FALSE),
    mark(Truth.UNKNOWN),
)


def claimed(judgement: Judgement, *each: Rule, policy: Policy | None = None) -> tuple[Claim, ...]:
    return conditions.claims(
        judgement, None, rules(*(each or (shown(),))), policy or enforcing(), NOON
    )


def test_a_fault_of_an_enforced_rule_is_shown_with_what_it_is_about() -> None:
    (claim,) = claimed(judged(disk_full=mark(Truth.HOLDS, confirmed=True, parts=("/", "/data"))))

    assert (claim.type, claim.status) == ("nodemend.dev/StorageReady", "False")
    assert claim.reason == "DiskFull"
    assert claim.message == "nodemend: A disk is full. (disk-full on /, /data)"


def test_the_smallest_message_names_no_subject_and_a_long_list_is_cut() -> None:
    many = mark(Truth.HOLDS, confirmed=True, parts=tuple("abcdefg"))

    assert claimed(judged(disk_full=HOLDS))[0].message.endswith("(disk-full)")
    assert claimed(judged(disk_full=many))[0].message.endswith("on a, b, c, d and 3 others)")


@pytest.mark.parametrize(
    ("policy", "one"),
    [
        (Policy(mode=Mode.OBSERVE), shown()),
        (Policy(mode=Mode.OFF), shown()),
        (enforcing(), shown(mode=Mode.OBSERVE)),
        (enforcing(), shown(sign=None)),
        (enforcing(Names.NONE), shown()),
    ],
)
def test_what_is_not_enforced_or_has_no_name_is_not_shown(policy: Policy, one: Rule) -> None:
    assert claimed(judged(disk_full=HOLDS), one, policy=policy) == ()


@pytest.mark.parametrize(
    ("names", "sign", "type_", "status"),
    [
        (Names.NODEMEND, STORAGE, "nodemend.dev/StorageReady", "False"),
        (Names.KARPENTER, STORAGE, "StorageReady", "False"),
        (Names.KARPENTER, OWN, "nodemend.dev/FlowersReady", "False"),
        (Names.NPD, OWN, "Wilted", "True"),
        (Names.NPD, Sign(type="KernelReady", reason="Hung", npd="Deadlock"), "Deadlock", "True"),
    ],
)
def test_the_policy_says_what_conditions_are_called(
    names: Names, sign: Sign, type_: str, status: str
) -> None:
    (claim,) = claimed(judged(disk_full=HOLDS), shown(sign=sign), policy=enforcing(names))

    assert (claim.type, claim.status, claim.bad) == (type_, status, status)


@pytest.mark.parametrize(
    ("names", "found", "status"),
    [
        (Names.NODEMEND, OVER, "True"),
        (Names.NPD, OVER, "False"),
        (Names.NODEMEND, DARK, "Unknown"),
        (Names.NODEMEND, mark(Truth.SUSPECTED), ""),
    ],
)
def test_what_is_well_is_known_to_be_and_what_is_unknown_is_called_so(
    names: Names, found: Mark, status: str
) -> None:
    (claim,) = claimed(judged(disk_full=found), policy=enforcing(names))

    assert claim.status == status
    assert not claim.begins


def test_a_node_of_which_nothing_was_judged_is_unknown() -> None:
    assert [claim.status for claim in claimed(Judgement())] == ["Unknown"]


def test_the_policy_may_want_conditions_on_every_node() -> None:
    (claim,) = claimed(judged(disk_full=OVER), policy=enforcing(every_node=True))

    assert claim.begins


def test_several_faults_of_one_type_are_one_condition_with_the_reason_of_the_worst() -> None:
    mild = shown("a-mild", Sign(type="StorageReady", reason="Mild"), Severity.WARNING)
    grave = shown("b-grave", Sign(type="StorageReady", reason="Grave"))

    (claim,) = claimed(judged(a_mild=HOLDS, b_grave=HOLDS), mild, grave)

    assert claim.reason == "Grave"
    assert claim.message == "nodemend: A disk is full. (b-grave); A disk is full. (a-mild)"


def test_a_fault_that_is_not_known_to_be_over_is_doubted_by_its_reason() -> None:
    other = shown("other", Sign(type="StorageReady", reason="Other"))

    (claim,) = claimed(judged(disk_full=DARK, other=OVER), shown(), other)

    assert (claim.status, claim.doubts) == ("True", frozenset({"DiskFull"}))


def test_a_message_is_bounded() -> None:
    long = replace(shown(), about="x" * 3000)

    (claim,) = claimed(judged(disk_full=HOLDS), long)

    assert len(claim.message) == conditions.LONGEST


def staged(phase: Phase, *, rung: int = 0, ladder: tuple[str, ...] = ("drain", "replace")) -> str:
    status = NodeRepairStatus(
        phase=phase, rung=rung, tried=tuple(range(rung + 1)), disruption_epoch=4
    )
    one = repair(ladder=ladder, status=status)
    found = conditions.claims(Judgement(), one, rules(), enforcing(lifecycle=True), NOON)
    return " ".join(f"{claim.type}={claim.status}" for claim in found)


@pytest.mark.parametrize(
    ("phase", "rung", "ladder", "drains", "drained"),
    [
        (Phase.DRAINING, 0, ("drain", "replace"), True, False),
        (Phase.FENCING, 0, ("drain", "replace"), True, False),
        (Phase.REPAIRING, 1, ("drain", "replace"), False, True),
        (Phase.REPAIRING, 0, ("reboot",), False, False),
        (Phase.VERIFYING, 0, ("drain",), False, True),
    ],
)
def test_our_own_work_shows_by_the_lifecycle_conditions(
    phase: Phase,
    rung: int,
    ladder: tuple[str, ...],
    drains: bool,  # noqa: FBT001 - a case
    drained: bool,  # noqa: FBT001 - a case
) -> None:
    said = f"DrainInProgress={drains} Drained={drained} MaintenanceInProgress=True"

    assert staged(phase, rung=rung, ladder=ladder) == said


@pytest.mark.parametrize(
    ("mode", "epoch", "phase", "lifecycle"),
    [
        (Mode.OBSERVE, 4, Phase.DRAINING, True),
        (Mode.ENFORCE, 0, Phase.DRAINING, True),
        (Mode.ENFORCE, 4, Phase.NEEDS_HUMAN, True),
        (Mode.ENFORCE, 4, Phase.DRAINING, False),
    ],
)
def test_who_disrupts_nothing_shows_no_work(
    mode: Mode,
    epoch: int,
    phase: Phase,
    lifecycle: bool,  # noqa: FBT001 - a case
) -> None:
    one = repair(mode=mode, status=NodeRepairStatus(phase=phase, disruption_epoch=epoch))
    policy = enforcing(lifecycle=lifecycle)

    assert conditions.claims(Judgement(), one, rules(), policy, NOON) == ()
    assert conditions.claims(Judgement(), None, rules(), enforcing(lifecycle=True), NOON) == ()


def with_condition(type_: str, message: str) -> Node:
    seen = node()
    said = Condition(type=type_, status="True", message=message)
    return structs.replace(seen, status=structs.replace(seen.status, conditions=(said,)))


@pytest.mark.parametrize(
    ("seen", "judgement", "one", "policy", "silent"),
    [
        (node(), judged(disk_full=OVER), None, enforcing(), True),
        (with_condition("KernelDeadlock", "no"), judged(), None, enforcing(), True),
        (node(), judged(disk_full=HOLDS), None, enforcing(), False),
        (node(), judged(disk_full=OVER), repair(), enforcing(), False),
        (node(), judged(disk_full=OVER), None, enforcing(every_node=True), False),
        (with_condition("StorageReady", "nodemend: m"), judged(), None, enforcing(), False),
    ],
)
def test_only_a_node_without_fault_repair_and_condition_is_silent(
    seen: Node, judgement: Judgement, one: NodeRepair | None, policy: Policy, *, silent: bool
) -> None:
    assert conditions.is_silent(seen, judgement, one, policy) == silent
