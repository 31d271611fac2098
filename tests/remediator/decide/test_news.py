"""Judging only what is new finds what judging everything would find, however news and time go."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import packing
from nodehealth.catalogue import CATALOGUE
from nodehealth.cel import Program
from nodehealth.health import (
    Event,
    Level,
    NodeHealth,
    NodeHealthStatus,
    ProbeReport,
    ProbeState,
)
from nodehealth.history import History, record
from nodehealth.kept import KeptHealth
from nodehealth.kube.objects import Node, NodeInfo
from nodehealth.signals import Author, FieldType, Kind, Knowledge, Signal
from remediator.decide.facts import Facts, Watches
from remediator.decide.judge import Judgement, judge
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.rule import Combine, Question, Rule, Where
from tests.builders import NOON, at, health, level, node, question, rule, xid

SHIPPED: Final = load.rules(Path(__file__).parents[3] / "rules", remedy).rules
SUBJECTS: Final = ("GPU-1", "GPU-2", "GPU-3")
ASKED: Final = {asked.signal.name: asked.signal for each in SHIPPED for asked in each.questions}
LEVELS: Final = [
    each
    for each in (*ASKED.values(), CATALOGUE["gpu.recovery_action"])
    if each.kind is Kind.LEVEL and each.author is Author.AGENT
]
EVENTS: Final = [each for each in (*ASKED.values(), CATALOGUE["gpu.reset"]) if each not in LEVELS]
HAPPENING: Final = [each for each in EVENTS if each.kind is Kind.EVENT]
VALUES: Final = (0.0, 0.01, 0.6, 1.0, 2.0, 16.0, -5.0, 1000.0, None)
CODES: Final = (0, 8, 13, 16, 31, 43, 48, 63, 74, 79, 95, 119, 999)
WORDS: Final = ("", "none", "power-brake", "critical", "dead", "/")


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to a node between two looks."""

    passed: float
    levels: tuple[Level, ...] = ()
    gone: tuple[str, ...] = ()
    events: tuple[tuple[Signal, str, Mapping[str, int | str]], ...] = ()
    heard: bool = True
    seen: bool = True
    booted: bool = False
    is_whole: bool = True
    label: str | None = None
    ready: bool = True
    clock: float = 0


@dataclass(kw_only=True)
class Told:
    """A node and its agent: what they say now."""

    now: float = 0
    levels: dict[tuple[str, str], Level] = field(default_factory=dict)
    events: dict[object, Event] = field(default_factory=dict)
    boot: int = 0
    node: Node = field(default_factory=node)
    body: bytes = b""
    heard_at: float | None = None
    watched: float = 0

    def play(self, step: Step) -> None:
        self.now += step.passed
        self.boot += step.booted
        for each in step.levels:
            since = at(self.now // 60 * 60)
            self.levels[each.name, each.subject] = msgspec.structs.replace(each, since=since)
        for key in [key for key in self.levels if key[0] in step.gone]:
            del self.levels[key]
        for signal, subject, fields in step.events:
            self._happen(signal, subject, fields)
        self._stand(step)
        if step.heard:
            self.body = self._write(step)
            self.heard_at = self.now
        self.watched = self.now if step.seen else self.watched

    def facts(self, kind: type[NodeHealth]) -> Facts:
        """Return what is known of it, read by one type or the other."""
        fresh = at(self.watched)
        heard = None if self.heard_at is None else at(self.heard_at)
        health = msgspec.json.decode(self.body, type=kind) if self.body else None
        watches = Watches(nodes=fresh, healths=fresh, agents=fresh)
        return Facts(node=self.node, health=health, heard_at=heard, watches=watches)

    def _happen(self, signal: Signal, subject: str, fields: Mapping[str, int | str]) -> None:
        key = (signal.name, subject, tuple(fields.items()), self.boot)
        past = self.events.get(key)
        self.events[key] = Event(
            name=signal.name,
            subject=subject,
            boot_id=f"boot-{self.boot}",
            fields=fields,
            count=past.count + 1 if past else 1,
            history=record(past.history if past else History(), at(self.now)),
        )

    def _stand(self, step: Step) -> None:
        labels = self.node.metadata.labels if step.label is None else {"pool": step.label}
        known = node(ready=step.ready, labels=dict(labels))
        info = NodeInfo(boot_id=f"boot-{self.boot}")
        status = msgspec.structs.replace(known.status, node_info=info)
        fresh = msgspec.structs.replace(known, status=status)
        if fresh != self.node:
            self.node = fresh

    def _write(self, step: Step) -> bytes:
        state = ProbeState.OK if step.is_whole else ProbeState.FAILED
        status = NodeHealthStatus(
            node_uid="uid-n1",
            boot_id=f"boot-{self.boot}",
            reported_at=at(self.now + step.clock),
            refresh_seconds=60,
            levels=tuple(self.levels[key] for key in sorted(self.levels)),
            events=tuple(self.events.values()),
            probes=(ProbeReport(name="report", state=state, since=NOON),),
        )
        return msgspec.json.encode({"status": packing.packed(status)})


def fields_of(signal: Signal) -> st.SearchStrategy[dict[str, int | str]]:
    kinds: dict[FieldType, st.SearchStrategy[int | str]] = {
        FieldType.INT: st.sampled_from(CODES),
        FieldType.STRING: st.sampled_from(WORDS),
    }
    return st.fixed_dictionaries({name: kinds[kind] for name, kind in signal.fields.items()})


def subjects_of(signal: Signal) -> st.SearchStrategy[str]:
    return st.sampled_from(SUBJECTS if signal.subject else ("",))


@st.composite
def a_level(draw: st.DrawFn, signals: list[Signal]) -> Level:
    signal = draw(st.sampled_from(signals))
    return Level(
        name=signal.name,
        subject=draw(subjects_of(signal)),
        value=draw(st.sampled_from(VALUES)),
        knowledge=draw(st.sampled_from([Knowledge.KNOWN] * 4 + list(Knowledge))),
        fields=draw(fields_of(signal)),
        since=NOON,
    )


@st.composite
def an_event(draw: st.DrawFn, signals: list[Signal]) -> tuple[Signal, str, Mapping[str, int | str]]:
    signal = draw(st.sampled_from(signals))
    return signal, draw(subjects_of(signal)), draw(fields_of(signal))


MOSTLY: Final = st.sampled_from([True, True, True, False])
SELDOM: Final = st.sampled_from([False] * 7 + [True])


def steps(levels: list[Signal], events: list[Signal]) -> st.SearchStrategy[list[Step]]:
    """Let a few things change at a time, and often nothing."""
    step = st.builds(
        Step,
        passed=st.sampled_from([0.5, 1, 20, 59, 60, 180, 200, 600, 4000]),
        levels=st.lists(a_level(levels), max_size=3).map(tuple),
        gone=st.lists(st.sampled_from([each.name for each in levels]), max_size=1).map(tuple),
        events=st.lists(an_event(events), max_size=1).map(tuple),
        heard=MOSTLY,
        seen=MOSTLY,
        booted=SELDOM,
        is_whole=MOSTLY,
        label=st.sampled_from([None, None, None, "a", "b"]),
        ready=MOSTLY,
        clock=st.sampled_from([0, 0, 0, -900, 900]),
    )
    quiet = st.builds(Step, passed=st.sampled_from([1, 20, 60, 300]))
    return st.lists(step | quiet, min_size=2, max_size=12)


def is_found_alike(rules: tuple[Rule, ...], played: list[Step], first: Told | None = None) -> bool:
    """Judge by what is new, and everything, side by side."""
    told, quick, slow = first or Told(), Judgement(), Judgement()
    for step in played:
        told.play(step)
        now = at(told.now)
        quick = judge(rules, told.facts(KeptHealth), quick, now)
        slow = judge(rules, told.facts(NodeHealth), replace(slow, basis=None), now)
        assert quick == slow
    return True


def whole() -> Told:
    """Return a node of which everything is said, and well."""
    told = Told()
    for signal in LEVELS:
        for subject in SUBJECTS if signal.subject else ("",):
            said = Level(name=signal.name, subject=subject, value=signal.healthy, since=NOON)
            told.levels[signal.name, subject] = said
    return told


@given(steps(LEVELS, HAPPENING))
@settings(max_examples=60, deadline=None)
def test_the_shipped_rules_find_the_same(played: list[Step]) -> None:
    assert is_found_alike(SHIPPED, played, whole())


FEW: Final = [CATALOGUE["disk.free_ratio"], CATALOGUE["gpu.lost"]]
HAPPEN: Final = [CATALOGUE["gpu.xid"], CATALOGUE["gpu.reset"]]
SPANS: Final = st.sampled_from([timedelta(), timedelta(seconds=60), timedelta(seconds=300)])
OF_LEVELS: Final = (
    ("value > 0", "gpu.lost"),
    ('value > 0 && subject == "GPU-2"', "gpu.lost"),
    ('subject != "GPU-1"', "gpu.lost"),
    ('node.labels["pool"] == "a" && value < 2.0', "disk.free_ratio"),
    ('device == "critical" || value < 0.0', "disk.free_ratio"),
    ('status == "True"', "node.ready"),
    ("value > 0", "agent.silent"),
)
OF_EVENTS: Final = ("code in [31, 43, 79]", "true", 'subject == "GPU-2"')


@st.composite
def a_question(draw: st.DrawFn) -> Question:
    where, signal = draw(st.sampled_from(OF_LEVELS))
    asked = question(where, signal=signal)
    asked = replace(asked, lasts=draw(SPANS), asks_subject="subject" in where)
    excuse = question("value > 1.0", signal="disk.free_ratio")
    if draw(st.booleans()):
        asked = question(draw(st.sampled_from(OF_EVENTS)), signal="gpu.xid")
        within = draw(st.sampled_from([None, timedelta(minutes=10)]))
        since = draw(st.sampled_from(["", "gpu.reset"]))
        asked = replace(asked, within=within, count=draw(st.integers(1, 3)), since=since)
    return replace(asked, unless=draw(st.sampled_from([None, excuse])))


@st.composite
def a_rule(draw: st.DrawFn) -> Rule:
    asked = draw(st.lists(a_question(), min_size=1, max_size=3))
    made = rule(*asked, combine=draw(st.sampled_from(Combine)), quiet=draw(st.integers(0, 400)))
    return replace(made, after_reboot=draw(st.booleans()))


@given(st.lists(a_rule(), min_size=1, max_size=4), steps(FEW, HAPPEN))
@settings(max_examples=200, deadline=None)
def test_any_rules_find_the_same(made: list[Rule], played: list[Step]) -> None:
    named = tuple(replace(each, name=f"rule-{n}") for n, each in enumerate(made))

    assert is_found_alike(named, played)


@dataclass(kw_only=True)
class Listening:
    """A `where` that remembers of whom it was asked."""

    where: Where
    asked: list[object] = field(default_factory=list)

    def __call__(self, values: Mapping[str, object]) -> bool:
        self.asked.append(values["subject"])
        return self.where(values)


def listening(asked: Question) -> tuple[Listening, Rule]:
    ear = Listening(where=asked.where)
    return ear, rule(replace(asked, where=ear))


def kept(*said: Level | Event) -> KeptHealth:
    status = health(*said).status
    metadata = {"name": "n1"}
    body = msgspec.json.encode({"metadata": metadata, "status": packing.packed(status)})
    return msgspec.json.decode(body, type=KeptHealth)


def known(said: NodeHealth, seconds: float = 0, labels: Mapping[str, str] | None = None) -> Facts:
    return Facts(
        node=node(labels=labels),
        health=said,
        heard_at=at(seconds),
        watches=Watches(nodes=at(seconds)),
    )


MOUNTS: Final = [level(0.5, subject=f"/mnt/{n}") for n in range(8)]


def test_what_is_said_again_is_not_asked_again() -> None:
    ear, asked = listening(question())
    rules = (asked,)
    before = judge(rules, known(kept(*MOUNTS)), Judgement(), NOON)
    ear.asked.clear()

    after = judge(rules, known(kept(*MOUNTS), 60), before, at(60))

    assert ear.asked == []
    assert after.marks[asked.name] is before.marks[asked.name]


@pytest.mark.parametrize(
    "news",
    [
        known(kept(*MOUNTS[1:], level(0.4)), 60),
        known(kept(*MOUNTS), 60, labels={"pool": "a"}),
        known(kept(*MOUNTS[1:]), 60),
        replace(known(kept(*MOUNTS), 60), ordered={"b1": "r1"}),
    ],
    ids=["level", "label", "gone", "ordered"],
)
def test_what_is_new_is_asked(news: Facts) -> None:
    ear, asked = listening(question())
    rules = (asked,)
    before = judge(rules, known(kept(*MOUNTS)), Judgement(), NOON)
    ear.asked.clear()

    judge(rules, news, before, at(60))

    assert ear.asked != []


def test_other_rules_are_asked_of_everything() -> None:
    ear, asked = listening(question())
    before = judge((rule(),), known(kept(*MOUNTS)), Judgement(), NOON)

    judge((asked,), known(kept(*MOUNTS), 60), before, at(60))

    assert ear.asked != []


def test_a_rule_of_another_signal_is_not_asked() -> None:
    ear, asked = listening(question())
    rules = (asked,)
    before = judge(rules, known(kept(*MOUNTS)), Judgement(), NOON)
    ear.asked.clear()

    judge(rules, known(kept(*MOUNTS, xid(79)), 60), before, at(60))

    assert ear.asked == []


def test_one_of_many_that_are_alike_is_asked_for_all() -> None:
    ear, asked = listening(replace(question(), asks_subject=False))

    found = judge((asked,), known(kept(*MOUNTS)), Judgement(), NOON)

    assert ear.asked == ["/mnt/0"]
    assert found.faults() == ()


def test_each_is_asked_where_the_question_tells_them_apart() -> None:
    asked = rule(question('subject == "/mnt/3"'))

    found = judge((asked,), known(kept(*MOUNTS)), Judgement(), NOON)

    assert found.marks[asked.name].parts == ("/mnt/3",)


def test_each_that_is_bad_is_named_in_order() -> None:
    bad = [level(0.01, subject=f"/mnt/{n}") for n in (9, 4)]
    asked = rule(replace(question(), asks_subject=False))

    found = judge((asked,), known(kept(*MOUNTS[5:], *bad)), Judgement(), NOON)

    assert found.marks[asked.name].parts == ("/mnt/4", "/mnt/9")


def test_rules_of_which_the_same_is_found_share_a_mark() -> None:
    rules = tuple(rule(name=f"rule-{n}") for n in range(9))

    found = judge(rules, known(kept(*MOUNTS)), Judgement(), NOON)

    assert len({id(mark) for mark in found.marks.values()}) == 1


def test_the_shipped_rules_know_whether_they_speak_of_a_subject() -> None:
    for each in SHIPPED:
        for asked in each.questions:
            assert isinstance(asked.where, Program)
            assert asked.asks_subject is ("subject" in asked.where.names)


def test_a_mark_tells_of_the_boot_in_which_it_was_found() -> None:
    rules = (rule(),)
    seen = known(kept(*MOUNTS))
    before = judge(rules, seen, Judgement(), NOON)
    info = msgspec.structs.replace(seen.node.status, node_info=NodeInfo(boot_id="boot-2"))
    booted = replace(seen, node=msgspec.structs.replace(seen.node, status=info))

    assert judge(rules, booted, before, at(1)).marks["disk-full"].boot == "boot-2"


def told_at(clock: float, *said: Event) -> KeptHealth:
    """Return a report of events by a node's clock that may be wrong."""
    status = msgspec.structs.replace(health(*said).status, reported_at=at(clock))
    return msgspec.json.decode(
        msgspec.json.encode({"status": packing.packed(status)}), type=KeptHealth
    )


def test_what_is_counted_within_a_time_is_counted_again_however_little_is_new() -> None:
    rules = (rule(question("code == 31", signal="gpu.xid", within=600, count=3)),)
    before = judge(rules, known(told_at(900, xid(31, count=3))), Judgement(), NOON)

    after = judge(rules, known(told_at(60, xid(31, count=3)), 60), before, at(60))

    assert (before.faults(), after.faults()) == ((), ("disk-full",))


def test_what_made_good_no_more_is_new() -> None:
    reset = Event(
        name="gpu.reset", subject="GPU-1", boot_id="boot-1", history=record(History(), at(1))
    )
    rules = (rule(replace(question("code == 31", signal="gpu.xid"), since="gpu.reset")),)
    before = judge(rules, known(told_at(0, xid(31), reset)), Judgement(), NOON)

    after = judge(rules, known(told_at(60, xid(31)), 60), before, at(60))

    assert (before.faults(), after.faults()) == ((), ("disk-full",))


def test_what_is_wrong_is_told_in_order_however_it_was_packed() -> None:
    bad = [
        msgspec.structs.replace(level(value, subject=f"/mnt/{n}"), fields={})
        for n, value in ((1, 0.01), (2, 0.02), (3, 0.01), (4, 0.5))
    ]
    asked = rule(question())
    status = msgspec.structs.replace(health().status, levels=tuple(reversed(bad)))
    body = msgspec.json.encode({"status": packing.packed(status)})
    usual, seen = (msgspec.json.decode(body, type=each) for each in (NodeHealth, KeptHealth))

    found = [judge([asked], known(each), Judgement(), NOON) for each in (usual, seen)]

    assert found[0] == found[1]
    assert found[1].marks[asked.name].parts == ("/mnt/1", "/mnt/2", "/mnt/3")
