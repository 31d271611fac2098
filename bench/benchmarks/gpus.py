"""What a node of eight GPUs costs the remediator: to read its report, to keep it, to judge it."""

import asyncio
import gc
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec

from bench import cores, gpunode, repeated
from bench.benchmark import Benchmark, Site
from bench.figures import Figures, ratio, short
from bench.gpunode import GpuNode
from nodehealth.health import NodeHealth
from nodehealth.kept import KeptHealth
from nodemend.shipped import RULES
from remediator.decide.facts import Facts
from remediator.decide.judge import Judgement, judge
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.rule import RuleSet

_LATER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus(Benchmark):
    """Measures looks at one node by the shipped rules, and the room that many nodes take."""

    nodes: int = 1000
    """Of how many nodes the memory is measured."""
    seconds: float = 0.2
    """How long one round lasts."""

    async def measure(self, site: Site) -> Figures:
        """Measure in a thread, where no loop waits."""
        site.tell("gpus: memory, reports and looks")
        return await asyncio.to_thread(self._measured)

    def _measured(self) -> Figures:
        rules = load.rules(RULES, remedy)
        memory = {
            "kept": self._memory(KeptHealth, rules),
            "unpacked": self._memory(NodeHealth, rules),
        }
        return {"memory": memory, "report": self._report(), "look": self._look(rules)}

    def _look(self, rules: RuleSet) -> Figures:
        """Measure a first look, one at a refresh that says nothing new, and one at a fallen GPU."""
        each, first, now = GpuNode(), gpunode.NOON, gpunode.NOON + _LATER
        seen, again = each.facts(each.status()), each.facts(each.status(), _LATER)
        fallen = each.facts(each.fallen(), _LATER)
        known = judge(rules.rules, seen, Judgement(), first)
        forgotten = replace(known, basis=None)
        looks: Mapping[str, Callable[[], object]] = {
            "first": partial(judge, rules.rules, seen, Judgement(), first),
            "refresh": partial(judge, rules.rules, again, known, now),
            "all_anew": partial(judge, rules.rules, again, forgotten, now),
            "xid": partial(judge, rules.rules, fallen, known, now),
        }
        found = {f"{name}_us": self._micros(look) for name, look in looks.items()}
        share = _ratio(found["refresh_us"], found["all_anew_us"])
        return {"rules": len(rules.rules), **found, "refresh_to_all_anew": share}

    def _report(self) -> Figures:
        """Measure reading a report, to keep it packed and to unpack it at once."""
        each = GpuNode()
        body, levels = each.body(each.status()), len(each.status().levels)
        kept, unpacked = msgspec.json.Decoder(KeptHealth), msgspec.json.Decoder(NodeHealth)
        status = kept.decode(body).status
        ours, theirs = (self._micros(partial(each.decode, body)) for each in (kept, unpacked))
        return {
            "levels": levels,
            "body_bytes": len(body),
            "packed_bytes": len(status.packed),
            "read_to_keep_us": ours,
            "read_unpacked_us": theirs,
            "keep_to_unpacked": _ratio(ours, theirs),
            "unpack_kept_us": self._micros(status.said),
        }

    def _memory(self, kind: type[NodeHealth], rules: RuleSet) -> Figures:
        """Measure what the reports of many nodes take, and what is remembered of each."""
        bodies = [each.body(each.status()) for each in map(_numbered, range(self.nodes))]
        known, decoder = GpuNode().facts(GpuNode().status()), msgspec.json.Decoder(kind)
        begun = _mib()
        read = [decoder.decode(body) for body in bodies]
        held = _mib()
        judged = [judge(rules.rules, _of(each, known), Judgement(), gpunode.NOON) for each in read]
        return {
            "nodes": len(judged),
            "report_kib_a_node": short(1024 * (held - begun) / self.nodes),
            "marks_kib_a_node": short(1024 * (_mib() - held) / self.nodes),
        }

    def _micros(self, work: Callable[[], object]) -> Figures:
        def calls(count: int) -> None:
            for _ in range(count):
                work()

        return repeated.micros(calls, self.seconds)


def _numbered(number: int) -> GpuNode:
    return GpuNode(number=number)


def _of(health: NodeHealth, known: Facts) -> Facts:
    """Have a report said of the Node that is known."""
    uid = health.status.node_uid
    metadata = msgspec.structs.replace(known.node.metadata, uid=uid)
    return replace(
        known, node=msgspec.structs.replace(known.node, metadata=metadata), health=health
    )


def _mib() -> float:
    gc.collect()
    return cores.usage(os.getpid())[1]


def _ratio(ours: Figures, theirs: Figures) -> float | None:
    medians = [each["median"] for each in (ours, theirs)]
    return ratio(*(median for median in medians if isinstance(median, float)))
