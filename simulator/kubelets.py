"""The kubelets: they register Nodes, renew Leases and say whether they are ready."""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulator import records, templates
from simulator.agenda import Agenda
from simulator.ailments import Ailments
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import Census
from simulator.machines import provider_id
from simulator.records import Records
from simulator.scenario import Pool
from simulator.timings import Timings

_PHASES: Final = 100
"""Into how many groups the kubelets are divided, that each renew their Leases together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A machine that is switched on, as of one boot."""

    node: str
    pool: Pool
    zone: str
    machine_uid: str
    boot_id: str
    booted_at: datetime


class Kubelets:
    """All kubelets of the cluster, on one agenda."""

    def __init__(
        self,
        records_: Records,
        census: Census,
        agenda: Agenda,
        ailments: Ailments,
        timings: Timings,
    ) -> None:
        self.hardware: dict[str, Hardware] = {}
        """The machines that are on."""
        self._records = records_
        self._census = census
        self._agenda = agenda
        self._ailments = ailments
        self._timings = timings
        self._groups: dict[int, dict[str, None]] = {}
        self._ready: dict[str, Hardware] = {}
        """The machines whose kubelets have found everything in order since their boot."""

    def alive(self, node: str) -> bool:
        """Tell whether a node's kubelet does its work."""
        return node in self.hardware and not self._ailments.symptoms(node).kubelet_dead

    def settled(self, hardware: Hardware) -> None:
        """Take up a machine that is known to be on, and whose Node is ready and has a Lease."""
        self.hardware[hardware.node] = hardware
        self._ready[hardware.node] = hardware
        self._begin_beats(hardware.node)

    def power_on(self, hardware: Hardware) -> JsonObject:
        """Boot a machine: its kubelet registers the Node, and is ready a little later."""
        self.hardware[hardware.node] = hardware
        node = self._register(hardware)
        self._renew(hardware.node)
        self._begin_beats(hardware.node)
        self._agenda.after(self._timings.join, lambda: self._join(hardware))
        return node

    def power_off(self, node: str) -> None:
        """Switch a machine off; the cluster has to find out by itself."""
        self.hardware.pop(node, None)
        self._ready.pop(node, None)
        for group in self._groups.values():
            group.pop(node, None)

    def _register(self, hardware: Hardware) -> JsonObject:
        info = templates.node_info(hardware.node, hardware.machine_uid, hardware.boot_id)

        def rebooted(node: JsonObject) -> None:
            wire.made(node, "status")["nodeInfo"] = info
            self._judge(node, yes=False)

        found = self._records.change(records.NODES, hardware.node, rebooted)
        if found is not None:
            return found
        owner = provider_id(hardware.machine_uid)
        node = templates.node(hardware.pool, hardware.node, hardware.zone, provider_id=owner)
        node["status"]["nodeInfo"] = info
        self._judge(node, yes=False)
        return self._records.insert(records.NODES, node)

    def _join(self, hardware: Hardware) -> None:
        if self.hardware.get(hardware.node) is hardware:
            self._ready[hardware.node] = hardware
            self._report(hardware.node)

    def _report(self, name: str) -> None:
        """Write the Node's status."""
        if self.alive(name):
            yes = name in self._ready
            self._records.change(records.NODES, name, lambda node: self._judge(node, yes=yes))

    def _judge(self, node: JsonObject, *, yes: bool) -> None:
        now, verdict = self._now(), templates.ready(yes=yes)
        before = wire.condition(node, "Ready")
        changed = before is None or before["status"] != verdict["status"]
        since = now if before is None or changed else wire.instant(before["lastTransitionTime"])
        fresh = templates.conditions(verdict, now, since)
        ours = {each["type"] for each in fresh}
        others = [
            one for one in wire.items(node, "status", "conditions") if one["type"] not in ours
        ]
        node["status"]["conditions"] = [*others, *fresh]

    def _begin_beats(self, node: str) -> None:
        """Let the Node be heard of in its group's turn."""
        phase = zlib.crc32(node.encode()) % _PHASES
        group = self._groups.get(phase)
        if group is not None:
            group[node] = None
            return
        self._groups[phase] = {node: None}
        pause = self._timings.lease * phase / _PHASES
        self._agenda.after(pause, lambda: self._beat(phase, 0))

    def _beat(self, phase: int, turn: int) -> None:
        every = max(1, round(self._timings.node_status / self._timings.lease))
        for number, node in enumerate(tuple(self._groups[phase])):
            if self.alive(node):
                self._renew(node)
                self._speak_up(node, regularly=(turn + number) % every == every - 1)
        if self._groups[phase]:
            self._agenda.after(self._timings.lease, lambda: self._beat(phase, turn + 1))
        else:
            del self._groups[phase]

    def _speak_up(self, node: str, *, regularly: bool) -> None:
        """Write the status when it is due, or when the cluster has a wrong idea of it."""
        facts = self._census.nodes.get(node)
        if facts is None:
            return  # a kubelet registers when it starts, and never again
        if regularly or (facts.ready == "True") != (node in self._ready):
            self._report(node)

    def _renew(self, name: str) -> None:
        now = self._now()

        def renewed(lease: JsonObject) -> None:
            lease["spec"]["renewTime"] = wire.micro(now)

        where = templates.LEASE_NAMESPACE
        if self._records.change(records.LEASES, name, renewed, namespace=where) is None:
            facts = self._census.nodes.get(name)
            if facts is not None:
                self._records.insert(records.LEASES, templates.lease(name, facts.uid, now))

    def _now(self) -> datetime:
        return self._records.world.clock()
