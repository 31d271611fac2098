"""What makes good what happened before, what excuses a subject, and what was not said."""

from dataclasses import replace

import pytest
from msgspec import structs

from nodehealth.health import Event, NodeHealth
from nodehealth.history import History
from nodehealth.signals import Knowledge
from remediator.decide import answers
from remediator.decide.answers import Answer, Truth
from remediator.decide.facts import Facts, Watches
from remediator.rules.rule import Question
from tests.builders import NOON, at, health, level, node, question, xid

RESETS = replace(question("code == 95", signal="gpu.xid"), since="gpu.reset")
EXCUSED = replace(
    question("code == 95", signal="gpu.xid"),
    unless=question("value == 0.0", signal="gpu.recovery_action"),
)


def ask(asked: Question, seen: NodeHealth) -> dict[str, Answer]:
    watches = Watches(nodes=NOON, healths=NOON, agents=NOON)
    facts = Facts(node=node(), health=seen, heard_at=NOON, watches=watches)
    return dict(answers.ask(asked, answers.look(facts, NOON)))


def truth(asked: Question, seen: NodeHealth) -> Truth:
    return max(each.truth for each in ask(asked, seen).values())


def reset(seconds: float, *, subject: str = "GPU-1", boot: str = "boot-1") -> Event:
    past = History(last=(at(seconds),), until=at(seconds))
    return Event(name="gpu.reset", subject=subject, boot_id=boot, history=past)


def recovery(value: float | None, *, subject: str = "GPU-1") -> NodeHealth:
    """Have an XID 95 on a card that says what is to be done with it."""
    knowledge = Knowledge.UNKNOWN if value is None else Knowledge.KNOWN
    said = level(value, name="gpu.recovery_action", subject=subject, knowledge=knowledge)
    return health(structs.replace(said, fields={}), xid(95))


def test_what_happened_before_it_was_made_good_counts_no_more() -> None:
    assert truth(RESETS, health(xid(95), reset(60))) is Truth.FALSE
    assert truth(RESETS, health(xid(95))) is Truth.HOLDS


def test_what_happens_after_it_was_made_good_counts_again() -> None:
    assert truth(RESETS, health(xid(95, last=at(61)), reset(60))) is Truth.HOLDS


def test_what_happened_at_that_very_moment_was_made_good_too() -> None:
    assert truth(RESETS, health(xid(95, last=at(60)), reset(60))) is Truth.FALSE


def test_another_subject_makes_nothing_good() -> None:
    assert truth(RESETS, health(xid(95), reset(60, subject="GPU-2"))) is Truth.HOLDS


def test_another_boot_makes_nothing_good() -> None:
    assert truth(RESETS, health(xid(95), reset(60, boot="boot-0"))) is Truth.HOLDS


def test_a_span_reaches_no_further_back_than_what_made_it_good() -> None:
    within = replace(question("true", signal="gpu.xid", within=600, count=2), since="gpu.reset")
    seen = xid(95, last=at(-300)), xid(31, last=at(-60))

    assert truth(within, health(*seen)) is Truth.HOLDS
    assert truth(within, health(*seen, reset(-120))) is Truth.FALSE


def test_a_card_that_is_known_to_want_nothing_is_excused() -> None:
    assert ask(EXCUSED, recovery(0)) == {"GPU-1": Answer(truth=Truth.FALSE)}
    assert truth(EXCUSED, recovery(1)) is Truth.HOLDS


def test_another_card_excuses_nothing() -> None:
    assert truth(EXCUSED, recovery(0, subject="GPU-2")) is Truth.HOLDS


def test_what_is_unknown_excuses_nothing() -> None:
    assert truth(EXCUSED, recovery(None)) is Truth.HOLDS
    assert truth(EXCUSED, health(xid(95))) is Truth.HOLDS


@pytest.mark.parametrize(
    ("where", "holds"),
    [("severity == ''", True), ("severity == 'Fatal'", False), ("link == 0", True)],
)
def test_a_field_of_an_event_that_was_not_said_is_empty(where: str, *, holds: bool) -> None:
    found = truth(question(where, signal="gpu.xid"), health(xid(145)))

    assert found is (Truth.HOLDS if holds else Truth.FALSE)


def test_the_evidence_tells_kinds_apart_but_not_without_end() -> None:
    asked = question("true", signal="gpu.xid")
    kinds = [structs.replace(xid(code), fields={"code": code}) for code in range(1, 7)]

    two = ask(asked, health(kinds[0], kinds[1]))["GPU-1"].evidence
    many = ask(asked, health(*kinds))["GPU-1"].evidence

    assert two == "gpu.xid (code 1; code 2) was seen 2 times on GPU-1"
    assert many == "gpu.xid (code 1; code 2; code 3; code 4) was seen 6 times on GPU-1"


def test_the_evidence_leaves_out_what_is_too_old_to_count() -> None:
    asked = question("true", signal="gpu.xid", within=600)
    seen = [
        structs.replace(xid(code, last=last), fields={"code": code})
        for code, last in ((31, at(-900)), (43, NOON))
    ]

    assert ask(asked, health(*seen))["GPU-1"].evidence == (
        "gpu.xid (code 43) was seen once on GPU-1"
    )


def test_an_event_without_fields_is_named_alone() -> None:
    killed = Event(name="memory.oom_kills", boot_id="boot-1")

    found = ask(question("true", signal="memory.oom_kills"), health(killed))

    assert found[""].evidence == "memory.oom_kills was seen once"


def test_an_excuse_that_grows_old_by_itself_is_looked_at_again_in_time() -> None:
    excused = replace(
        question("value < 1.0", signal="node.ready"),
        unless=question("value == 0.0", signal="gpu.recovery_action"),
    )
    watches = Watches(nodes=NOON, healths=NOON, agents=NOON)
    facts = Facts(node=node(), health=recovery(0.0), heard_at=NOON, watches=watches)
    seen = answers.look(facts, NOON)

    assert answers.due(replace(excused, unless=None), seen) is None
    assert answers.due(excused, seen) == facts.stale_at()
