"""What people hold back, in the ledger and on Nodes."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import Pause, RepairLedger
from nodehealth.repair import Mode, Phase
from remediator.decide import faults, gates, ladder, pauses, plan, rungs, waiting
from remediator.decide.answers import Truth
from remediator.decide.counting import Scope
from remediator.decide.gates import Asked, Deed
from remediator.decide.judge import Judgement, Mark
from remediator.decide.limits import Refused, Why
from remediator.decide.moves import Cordon, Move, Reason, Release, View, Wellness
from remediator.rules.policy import Policy
from tests.builders import NOON, at, ledger, node, repair, rule, rules

EVERYTHING = Pause(reason="a network is changed", by="ann")


def held(*, by: Mapping[str, Pause]) -> RepairLedger:
    known = ledger()
    return structs.replace(known, spec=structs.replace(known.spec, pauses=by))


def asked(
    deed: Deed = Deed.DISRUPT,
    *,
    by: Mapping[str, Pause] | None = None,
    seen: Node | None = None,
    now: datetime = NOON,
) -> Refused | None:
    scope = Scope(name="w", members=frozenset({"n1"}), out=frozenset())
    return gates.refusal(
        Asked(
            deed=deed,
            repair=repair(),
            node=seen or node(),
            ledger=held(by=by or {}),
            scopes=(scope,),
            policy=Policy(),
            now=now,
        )
    )


def marked(text: str, *, key: str = keys.PAUSE, noted: bool = False) -> Node:
    seen = node()
    where = "annotations" if noted else "labels"
    return structs.replace(seen, metadata=structs.replace(seen.metadata, **{where: {key: text}}))


@pytest.mark.parametrize("deed", list(Deed))
def test_a_pause_of_everything_admits_nothing(deed: Deed) -> None:
    refused = asked(deed, by={"net": EVERYTHING})

    assert refused is not None
    assert refused.why is Why.PAUSED
    assert refused.message == "pause net by ann holds the cluster: a network is changed"


@pytest.mark.parametrize(
    ("pause", "holds"),
    [
        (Pause(reason="x", pool="w"), True),
        (Pause(reason="x", pool="other"), False),
        (Pause(reason="x", node="n1"), True),
        (Pause(reason="x", node="n2"), False),
        (Pause(reason="x", node="n1", pool="w"), True),
        (Pause(reason="x", node="n1", pool="other"), False),
    ],
)
def test_a_pause_holds_what_it_names(pause: Pause, *, holds: bool) -> None:
    refused = asked(by={"some": pause})

    assert (refused is not None) is holds


def test_a_pause_that_has_ended_holds_nothing() -> None:
    over = {"net": structs.replace(EVERYTHING, until=at(60))}

    before, after = asked(by=over, now=at(59)), asked(by=over, now=at(60))

    assert before is not None
    assert before.until == at(60)
    assert before.message.startswith("pause net by ann holds the cluster until 2026-01-01 12:01:00")
    assert after is None


def test_several_pauses_end_with_the_last_one() -> None:
    both = {
        "a": structs.replace(EVERYTHING, until=at(60)),
        "b": Pause(reason="y", node="n1", until=at(90)),
    }

    refused = asked(by=both)

    assert refused is not None
    assert refused.until == at(90)
    assert refused.message.count("pause ") == 2


def test_nobody_knows_when_a_pause_without_an_end_is_over() -> None:
    refused = asked(by={"a": structs.replace(EVERYTHING, until=at(60)), "b": EVERYTHING})

    assert refused is not None
    assert refused.until is None


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("kernel-test", None),
        ("", None),
        ("20260101T121500Z", at(900)),
        ("20260101T1215", at(900)),
        ("2026-01-02", at(12 * 3600)),
    ],
)
def test_a_node_says_that_it_is_paused(text: str, until: datetime | None, *, noted: bool) -> None:
    refused = asked(seen=marked(text, noted=noted))

    assert refused is not None
    assert (refused.why, refused.until) == (Why.PAUSED, until)


def test_a_pause_of_a_node_ends_when_it_says() -> None:
    assert asked(seen=marked("2026-01-01T13:00:00+01:00", noted=True)) is None


def test_an_annotation_may_say_more_than_the_label() -> None:
    seen = marked("true")
    both = structs.replace(seen.metadata, annotations={keys.PAUSE: "until Ann is back"})

    refused = asked(seen=structs.replace(seen, metadata=both))

    assert refused is not None
    assert refused.message == "nodemend.dev/pause on the Node pauses it (until Ann is back)"


def test_one_mark_that_is_not_false_is_enough() -> None:
    seen = marked("true")
    both = structs.replace(seen.metadata, annotations={keys.PAUSE: "false"})

    assert asked(seen=structs.replace(seen, metadata=both)) is not None


SKIPPED = [
    marked("true", key=keys.SKIP),
    marked("", key=keys.SKIP),
    marked("a test of new firmware", key=keys.SKIP, noted=True),
]
NOT_SKIPPED = [
    marked("false", key=keys.SKIP),
    marked("False"),
    marked("false", noted=True),
    node(),
]


@pytest.mark.parametrize("seen", SKIPPED)
def test_no_repair_is_opened_for_a_node_that_people_look_after(seen: Node) -> None:
    assert plan.is_spared(seen, Policy())


@pytest.mark.parametrize("seen", NOT_SKIPPED)
def test_all_others_are_repaired(seen: Node) -> None:
    assert not plan.is_spared(seen, Policy())
    assert asked(seen=seen) is None


@pytest.mark.parametrize("seen", SKIPPED)
def test_nothing_new_is_begun_on_a_node_that_people_look_after(seen: Node) -> None:
    refused = asked(seen=seen)

    assert refused is not None
    assert refused.message.startswith("nodemend.dev/skip")


def test_the_reason_to_skip_a_node_is_said() -> None:
    assert pauses.skipped(SKIPPED[0]) == "nodemend.dev/skip on the Node leaves it to people"
    assert pauses.skipped(SKIPPED[2]).endswith("leaves it to people (a test of new firmware)")


def move(phase: Phase, seen: Node, *, mode: Mode = Mode.ENFORCE) -> Move:
    well = Wellness(holds=True, heard_at=at(1))
    mended = repair(phase=phase, mode=mode)
    view = View(repair=mended, node=seen, ledger=ledger(), well=well, now=NOON, allowed=mode)
    return ladder.next_move(view)


@pytest.mark.parametrize("phase", [Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING])
def test_a_repair_that_disrupted_nothing_ends_when_people_take_the_node(phase: Phase) -> None:
    given = move(phase, SKIPPED[0])

    assert isinstance(given, Release)
    assert (given.reason, given.phase) == (Reason.SKIPPED, Phase.RECOVERED)


def test_one_that_only_observes_ends_too() -> None:
    given = move(Phase.WAITING, SKIPPED[0], mode=Mode.OBSERVE)

    assert isinstance(given, Release)
    assert given.reason is Reason.SKIPPED


def test_a_pause_ends_no_repair() -> None:
    assert isinstance(move(Phase.CONFIRMED, marked("later")), Cordon)


@pytest.mark.parametrize(("seen", "mode"), [(node(), Mode.ENFORCE), (SKIPPED[0], Mode.OBSERVE)])
def test_of_a_node_that_people_look_after_they_are_told_no_louder_than_of_one_that_is_observed(
    seen: Node, mode: Mode
) -> None:
    judgement = Judgement(marks={"disk-full": Mark(truth=Truth.HOLDS, since=NOON, confirmed=NOON)})
    only_told = rules(rule(ladder=()))

    (fault,) = faults.told(seen, judgement, only_told, Policy(mode=Mode.ENFORCE))

    assert fault.mode is mode


def test_who_is_held_back_holds_up_nobody() -> None:
    waits = repair("n1", phase=Phase.WAITING)
    back = structs.replace(waits, status=structs.replace(waits.status, reason=Reason.PAUSED))
    other = repair("n2", phase=Phase.WAITING, created=at(5))

    assert waiting.queue((back, other)) == [other]
    assert waiting.held_back((back, other)) == [back]


@pytest.mark.parametrize(
    ("pause", "old"),
    [
        (EVERYTHING, True),
        (structs.replace(EVERYTHING, at=NOON - timedelta(days=1)), True),
        (structs.replace(EVERYTHING, at=NOON - timedelta(hours=23)), False),
        (structs.replace(EVERYTHING, at=NOON - timedelta(days=9), until=at(60)), False),
    ],
)
def test_only_an_old_pause_without_an_end_may_be_forgotten(pause: Pause, *, old: bool) -> None:
    assert bool(pauses.forgotten(held(by={"net": pause}), NOON)) is old


@pytest.mark.parametrize(
    ("pause", "kind", "scope"),
    [
        (EVERYTHING, pauses.Kind.CLUSTER, "the cluster"),
        (Pause(reason="x", pool="w"), pauses.Kind.POOL, "pool w"),
        (Pause(reason="x", node="n1"), pauses.Kind.NODE, "node n1"),
        (
            Pause(reason="x", node="n1", pool="w"),
            pauses.Kind.NODE,
            "node n1 while it is in pool w",
        ),
    ],
)
def test_a_pause_says_how_much_it_holds(pause: Pause, kind: pauses.Kind, scope: str) -> None:
    assert (pauses.kind(pause), pauses.scope(pause)) == (kind, scope)


def test_without_its_node_a_machine_is_held_by_what_the_ledger_says() -> None:
    known = held(by={"net": EVERYTHING})

    assert pauses.refusal(known, "n1", None, ("w",), NOON) is not None
    assert pauses.refusal(ledger(), "n1", None, ("w",), NOON) is None


@pytest.mark.parametrize(("ends", "looks"), [(None, 30), (at(5), 5), (at(3600), 30), (at(-5), 1)])
def test_a_step_that_is_held_back_is_looked_at_when_that_ends_or_in_a_while(
    ends: datetime | None, looks: float
) -> None:
    shut = Refused(why=Why.PAUSED, message="later", until=ends)

    assert rungs.wait(repair(phase=Phase.DRAINING), shut, NOON).until == at(looks)
