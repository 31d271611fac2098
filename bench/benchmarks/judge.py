"""What one event costs the remediator's judgement, and what its expressions cost beside Python."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from bench import repeated
from bench.benchmark import Benchmark, Site
from bench.figures import Figures, ratio
from nodehealth import cel
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level, NodeHealth, NodeHealthStatus
from nodehealth.kube.objects import Metadata, Node
from nodehealth.repair import Rung, Severity
from remediator.decide.facts import Facts
from remediator.decide.judge import Judgement, judge
from remediator.rules import expressions
from remediator.rules.rule import Question, Rule

_NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_SIGNAL: Final = CATALOGUE["disk.free_ratio"]
_WHERE: Final = 'value < 0.02 && subject.endsWith("scratch") && node.labels["pool"] == "h100"'
_PYTHON: Final = 'value < 0.02 and subject.endswith("scratch") and node["labels"]["pool"] == "h100"'
_CODE: Final = compile(_PYTHON, "where", "eval")
_MOUNTS: Final = ("/", "/var/lib/kubelet", "/var/lib/containerd", "/scratch")
_FIELDS: Final = {"device": "/dev/sda1", "fstype": "ext4"}
_LABELS: Final = {"pool": "h100"}
_NODE: Final = {"name": "n1", "labels": _LABELS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge(Benchmark):
    """Measures `judge` by rules of one signal, and one `where` against Python's own `eval`."""

    rules: tuple[int, ...] = (1, 10, 100)
    seconds: float = 0.2
    """How long one round lasts."""

    async def measure(self, site: Site) -> Figures:
        """Measure in a thread, where no loop waits."""
        site.tell("judge: expressions and events")
        return await asyncio.to_thread(self._measured)

    def _measured(self) -> Figures:
        events = {f"by_{count}_rules": self._event(count) for count in self.rules}
        decoder, body = msgspec.json.Decoder(NodeHealth), msgspec.json.encode(_facts().health)
        decoding = self._micros(lambda: decoder.decode(body))
        return {"event": events, "decode_health_us": decoding, "where": self._where()}

    def _event(self, count: int) -> Figures:
        """Measure one look at a node with four mounts, of which one is full."""
        rules, facts = [_rule(n) for n in range(count)], _facts()
        before = judge(rules, facts, Judgement(), _NOON)
        now = _NOON + timedelta(seconds=1)
        ours = self._micros(lambda: judge(rules, facts, before, now))
        asked = self._micros(lambda: _asked(count, facts))
        return {
            "judge_us": ours,
            "python_eval_us": asked,
            "judge_to_python_eval": _ratio(ours, asked),
        }

    def _where(self) -> Figures:
        """Measure one question to the full mount: every part of the expression is evaluated."""
        program = cel.compile(_WHERE, expressions.environment(_SIGNAL))
        names = {"value": 0.0, "subject": "/scratch", "node": _NODE, **_FIELDS}
        ours = self._micros(lambda: program(names))
        evaluated = self._micros(lambda: eval(_CODE, {}, names))  # noqa: S307 - our own text, to compare with
        compiling = self._micros(lambda: cel.compile(_WHERE, expressions.environment(_SIGNAL)))
        return {
            "cel_us": ours,
            "python_eval_us": evaluated,
            "cel_to_python_eval": _ratio(ours, evaluated),
            "cel_compile_us": compiling,
        }

    def _micros(self, work: Callable[[], object]) -> Figures:
        def calls(count: int) -> None:
            for _ in range(count):
                work()

        return repeated.micros(calls, self.seconds)


def _asked(count: int, facts: Facts) -> list[bool]:
    """Ask the same of the same levels and remember nothing: the least that judging could cost."""
    levels = facts.health.status.levels if facts.health else ()
    return [
        eval(_CODE, {}, {"value": each.value, "subject": each.subject, "node": _NODE})  # noqa: S307 - our own text, to compare with
        for _ in range(count)
        for each in levels
    ]


def _rule(number: int) -> Rule:
    question = Question(
        signal=_SIGNAL,
        where=cel.compile(_WHERE, expressions.environment(_SIGNAL)),
        text=_WHERE,
    )
    return Rule(
        name=f"rule-{number}",
        about="A filesystem is full.",
        severity=Severity.CRITICAL,
        questions=(question,),
        ladder=(Rung(action="drain"),),
    )


def _facts() -> Facts:
    node = Node(metadata=Metadata(name="n1", uid="uid-n1", labels=_LABELS))
    levels = tuple(
        Level(
            name=_SIGNAL.name,
            subject=mount,
            value=0.0 if mount == _MOUNTS[-1] else 0.6,
            since=_NOON,
            fields=_FIELDS,
        )
        for mount in _MOUNTS
    )
    status = NodeHealthStatus(node_uid="uid-n1", boot_id="boot-1", levels=levels)
    return Facts(
        node=node,
        health=NodeHealth(metadata=Metadata(name="n1"), status=status),
        heard_at=_NOON,
    )


def _ratio(ours: Figures, theirs: Figures) -> float | None:
    medians = [each["median"] for each in (ours, theirs)]
    return ratio(*(median for median in medians if isinstance(median, float)))
