"""A node of eight GPUs on which all is well, with everything that an agent can say of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import structs

from agent import packing
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.history import History
from nodehealth.kept import KeptHealth
from nodehealth.keys import GPU_RESOURCE
from nodehealth.kube.objects import Condition, Metadata, Node, NodeStatus
from nodehealth.signals import Author, Kind
from remediator.decide.facts import Facts, Watches

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_BOOT: Final = "4e7a2f5e-7d35-4a0f-a1a4-0b6bb0d0a001"
_KEPT: Final = msgspec.json.Decoder(KeptHealth)
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "block.missing": tuple(f"nvme{n}n1" for n in range(8)),
    "nvme.not_live": tuple(f"nvme{n}" for n in range(8)),
    **dict.fromkeys(
        ("net.carrier_down", "net.errors", "net.drops", "net.missing"),
        tuple(f"eth{n}" for n in range(10)),
    ),
    **dict.fromkeys(
        ("disk.free_ratio", "disk.free_inodes_ratio", "disk.read_only", "disk.write_failed"),
        tuple(f"/mnt/nvme{n}" for n in range(10)),
    ),
}
"""What levels are about that are not about GPUs or the node itself."""
_LANES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNode:
    """One of many, whose cards have names and numbers of their own."""

    number: int = 0

    def status(self) -> NodeHealthStatus:
        """Return what its agent reports."""
        levels = sorted(self._levels(), key=lambda each: (each.name, each.subject))
        return NodeHealthStatus(
            node_uid=self._uid(),
            boot_id=_BOOT,
            agent_version="0.1.0",
            reported_at=NOON,
            levels=tuple(levels),
            probes=tuple(
                ProbeReport(name=f"a probe {n:02}", state=ProbeState.OK, since=NOON)
                for n in range(16)
            ),
        )

    def fallen(self) -> NodeHealthStatus:
        """Return what its agent reports when its fourth GPU has fallen off the bus."""
        event = Event(
            name="gpu.xid",
            subject=self._gpu(3),
            boot_id=_BOOT,
            fields={"code": 79, "pci": "0000:3b:00.0"},
            history=History(last=(NOON,), until=NOON),
        )
        return structs.replace(self.status(), events=(event,))

    def body(self, status: NodeHealthStatus, after: timedelta = timedelta()) -> bytes:
        """Return its NodeHealth as the API server sends it, some time after noon."""
        told = structs.replace(status, reported_at=NOON + after)
        metadata = {"name": f"node-{self.number:05}", "uid": f"health-{self.number:05}"}
        return msgspec.json.encode({"metadata": metadata, "status": packing.packed(told)})

    def facts(self, status: NodeHealthStatus, after: timedelta = timedelta()) -> Facts:
        """Return what a remediator knows of it then."""
        now = NOON + after
        return Facts(
            node=self.node(),
            health=_KEPT.decode(self.body(status, after)),
            heard_at=now,
            watches=Watches(nodes=now, healths=now, agents=now),
        )

    def node(self) -> Node:
        """Return its Node."""
        resources = {"cpu": "192", "memory": "2113512596Ki", GPU_RESOURCE: "8"}
        kinds = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
        conditions = [Condition(type=kind, status=f"{kind == 'Ready'}") for kind in kinds]
        return Node(
            metadata=Metadata(name=f"node-{self.number:05}", uid=self._uid()),
            status=NodeStatus(
                conditions=tuple(conditions), capacity=resources, allocatable=resources
            ),
        )

    def _uid(self) -> str:
        return f"0b1c6a0e-55e2-4f0e-9d5e-{self.number:012}"

    def _gpu(self, card: int) -> str:
        return f"GPU-7d0cbd2b-31f0-4fd6-8f0a-{self.number:08}{card:04}"

    def _levels(self) -> Iterator[Level]:
        for name, signal in CATALOGUE.items():
            if signal.kind is not Kind.LEVEL or signal.author is not Author.AGENT:
                continue
            gpus = tuple(map(self._gpu, range(8))) if signal.subject == "GPU UUID" else ()
            alone = ("",) if not signal.subject else ()
            for at, subject in enumerate(_NAMED.get(name, gpus or alone)):
                yield self._level(name, subject, at)

    def _level(self, name: str, subject: str, at: int) -> Level:
        fields: Mapping[str, Mapping[str, int | str]] = {
            "gpu.lost": {"pci": f"0000:{at:02x}:00.0", "serial": f"16{self.number:06}{at:05}"},
            "gpu.nvlinks_down": {"links": 18},
            "gpu.pcie_lanes": {"expected": _LANES},
            "gpu.recovery_action": {"action": "none"},
            "gpu.count": {"pci": 8, "expected": 8},
            "block.missing": {"serial": f"S5H9NS0R{self.number:06}{at}"},
            "nvme.not_live": {"state": "live"},
            "disk.free_ratio": {"device": f"/dev/nvme{at}n1", "fstype": "xfs"},
        }
        values = {"gpu.pcie_lanes": float(_LANES), "gpu.count": 8.0, "disk.free_ratio": 0.5}
        return Level(
            name=name,
            subject=subject,
            value=values.get(name, CATALOGUE[name].healthy),
            fields=fields.get(name, {}),
            since=NOON,
        )
