"""Whether the node's interfaces are as fast, and their bonds as whole, as they were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from agent.host.linux import Host
from agent.host.wires import Bond, Wire
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.health import Fields, Level
from nodehealth.signals import Knowledge

SLOW: Final = "net.slow"
MTU: Final = "net.mtu_changed"
PORTS_DOWN: Final = "net.bond_ports_down"

_LONGEST: Final = 120
"""Characters of the names of ports that are down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ethernet(Probe):
    """Watches interfaces with hardware of their own while they are up, and bonds."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    speed: Mapping[str, int] = field(default_factory=dict)
    """By interface the megabits a second that it is to have; by default the most in this boot."""
    mtu: Mapping[str, int] = field(default_factory=dict)
    """By interface the MTU that it is to have; by default what it was when first seen."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """By bond how many ports it is to have; by default the most in this boot."""
    most: int = 16
    """How many interfaces are watched."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Compare what is with what was."""
        wiring = await host.network.wiring()
        chosen = [each for each in wiring.wires if each.name in self.speed or each.name in self.mtu]
        rest = [each for each in wiring.wires if each not in chosen]
        wires = [*chosen, *rest][: max(self.most, len(chosen))]
        return [
            *(self._slow(each, past) for each in wires),
            *(self._mtu(each, past) for each in wires),
            *(self._bond(each, past) for each in wiring.bonds),
            *_absent(past, {each.name for each in wiring.bonds}),
        ]

    def _slow(self, wire: Wire, past: Past) -> Reading:
        most = _learned(past.get((SLOW, wire.name)), "expected")
        expected = self.speed.get(wire.name) or max(most, wire.speed)
        if not wire.speed:
            known: Fields = {"expected": most} if most else {}
            absent = Knowledge.NOT_APPLICABLE
            return Reading(name=SLOW, subject=wire.name, fields=known, knowledge=absent)
        told: Fields = {"speed": wire.speed, "expected": expected}
        if wire.is_half_duplex:
            told = {**told, "duplex": "half"}
        value = float(wire.is_half_duplex or wire.speed < expected)
        return Reading(name=SLOW, subject=wire.name, fields=told, value=value)

    def _mtu(self, wire: Wire, past: Past) -> Reading:
        first = _learned(past.get((MTU, wire.name)), "expected")
        expected = self.mtu.get(wire.name) or first or wire.mtu
        fields = {"mtu": wire.mtu, "expected": expected}
        value = float(wire.mtu != expected)
        return Reading(name=MTU, subject=wire.name, fields=fields, value=value)

    def _bond(self, bond: Bond, past: Past) -> Reading:
        most = _learned(past.get((PORTS_DOWN, bond.name)), "ports")
        ports = self.ports.get(bond.name) or max(most, len(bond.ports))
        missing = max(0, ports - len(bond.ports))
        told: Fields = {"ports": ports}
        if bond.down:
            told = {**told, "down": " ".join(bond.down)[:_LONGEST]}
        value = float(missing + len(bond.down))
        return Reading(name=PORTS_DOWN, subject=bond.name, fields=told, value=value)


def _absent(past: Past, there: set[str]) -> Iterator[Reading]:
    """Keep what is known of a bond that is down or away for a while, as when it is set up anew."""
    for (name, subject), level in past.items():
        if name == PORTS_DOWN and subject not in there:
            absent, fields = Knowledge.NOT_APPLICABLE, level.fields
            yield Reading(name=name, subject=subject, fields=fields, knowledge=absent)


def _learned(before: Level | None, field: str) -> int:
    return int(before.fields.get(field, 0)) if before is not None else 0
