"""Each write of a repair says what it decided, and says it once."""

from datetime import timedelta

from msgspec import structs

from nodehealth.repair import (
    Answer,
    Decision,
    Evicted,
    Intent,
    Joined,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Request,
    Wish,
)
from remediator.decide import trail
from remediator.decide.trail import Event
from tests.builders import NOON, repair

LATER = NOON + timedelta(minutes=1)


def wrote(**changed: object) -> list[trail.Line]:
    """Return the lines of a write that changed so much of a repair that was cordoned."""
    before = repair(phase=Phase.CORDONED)
    after = structs.replace(before, status=structs.replace(before.status, **changed))
    return list(trail.written(before, after, LATER))


def test_an_opened_repair_is_told_with_its_evidence_and_ladder() -> None:
    line = trail.begun(repair("n1"), NOON)

    assert (line.event, line.node, line.at) == (Event.BEGUN, "n1", NOON)
    assert line.ladder == ("drain", "replace")


def test_what_is_logged_is_told_with_its_time() -> None:
    said = Decision(at=NOON, text="Draining: got a disruption slot")

    (line,) = wrote(log=(said,), phase=Phase.DRAINING)

    assert (line.event, line.at, line.message) == (Event.DECIDED, NOON, said.text)
    assert line.phase == Phase.DRAINING


def test_an_admission_is_told_with_its_epoch() -> None:
    cordon, disruption = wrote(cordon_epoch=4, disruption_epoch=5)

    assert (cordon.cordon_epoch, cordon.disruption_epoch) == (4, 0)
    assert (disruption.cordon_epoch, disruption.disruption_epoch) == (0, 5)


def test_a_claimed_deed_is_told_with_its_key() -> None:
    (line,) = wrote(intent=Intent(action="replace", key="k", issued_at=NOON))

    assert (line.event, line.action, line.key, line.attempt) == (Event.ORDERED, "replace", "k", 1)


def test_every_pod_that_was_asked_to_leave_is_told() -> None:
    pods = [Evicted(namespace="ns", name=f"p{n}", uid=f"u{n}", at=NOON) for n in (1, 2)]

    assert [each.pod for each in wrote(evictions=tuple(pods))] == ["ns/p1", "ns/p2"]


def test_a_fault_that_joins_is_told() -> None:
    (line,) = wrote(faults=(Joined(rule="other", since=NOON, evidence=("it is so",)),))

    assert (line.event, line.evidence) == (Event.JOINED, ("it is so",))


def test_what_came_of_a_request_is_told_with_who_asked() -> None:
    request = Request(what=Wish.RELEASE, by="jane", at=NOON)
    answer = Answer(request=request, done=True, message="released", at=LATER)

    (line,) = wrote(answer=answer)

    assert (line.event, line.by, line.message) == (Event.ANSWERED, "jane", "released")


def test_a_write_that_says_nothing_new_is_not_told() -> None:
    known = NodeRepairStatus(
        phase=Phase.DRAINING,
        cordon_epoch=4,
        disruption_epoch=5,
        log=(Decision(at=NOON, text="Draining"),),
        evictions=(Evicted(namespace="ns", name="p", uid="u", at=NOON),),
        intent=Intent(action="replace", key="k", issued_at=NOON),
    )
    seen: NodeRepair = repair(status=known)
    passed = structs.replace(seen, status=structs.replace(known, empty_passes=1))

    assert list(trail.written(seen, passed, LATER)) == []
