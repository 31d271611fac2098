"""Machines with GPUs, as NVML and the PCI bus would tell of them at one moment."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, TypeAlias

from agent import state
from agent.host.linux import Host
from agent.host.nvml.facts import Answers, Bus, Card, Driver, Gpus, Hang, Standing
from agent.probe import Probe
from agent.readings import Answer, Aside
from agent.state import State
from nodehealth.health import Level
from nodehealth.signals import Knowledge
from tests.agent.trees import Tree

Seen: TypeAlias = dict[str, float | str | None]
"""Levels by their names: numbers, or how else they are known."""

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIELDS: Final = "nvmlDeviceGetFieldValues"
_LINKS: Final = 18

H100: Final[Answers] = {
    "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
    "nvmlDeviceGetVbiosVersion": "96.00.99.00.01",
    FIELDS: {
        **dict.fromkeys(("3", "4", "5", "6", "38", "45", "52", "59", "94"), 0),
        **dict.fromkeys(("142", "143", "144", "145", "230", "269", "270", "271"), 0),
        "82": 40,
        "91": _LINKS,
        "194": -2,
    },
    "nvmlDeviceGetRemappedRows": [0, 0, 0, 0],
    "nvmlDeviceGetRowRemapperHistogram": {"max": 640, "high": 0, "partial": 0, "low": 0, "none": 0},
    "nvmlDeviceGetEccMode": [1, 1],
    "nvmlDeviceGetMigMode": [0, 0],
    "nvmlDeviceGetTemperatureV": 34,
    "nvmlDeviceGetTemperatureThreshold": {"0": 92, "1": 89, "2": 95, "3": 87},
    "nvmlDeviceGetMarginTemperature": 53,
    "nvmlDeviceGetPowerUsage": 71000,
    "nvmlDeviceGetEnforcedPowerLimit": 700000,
    "nvmlDeviceGetCurrentClocksEventReasons": 1,
    "nvmlDeviceGetPerformanceState": 0,
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetUtilizationRates": {"gpu": 0, "memory": 0},
    "nvmlDeviceGetMemoryInfo": {"total": 85520809984, "used": 0, "free": 85520809984},
    "nvmlDeviceGetCurrPcieLinkWidth": 16,
    "nvmlDeviceGetMaxPcieLinkWidth": 16,
    "nvmlDeviceGetCurrPcieLinkGeneration": 5,
    "nvmlDeviceGetMaxPcieLinkGeneration": 5,
    "nvmlDeviceGetPcieReplayCounter": 0,
    "nvmlDeviceGetNvLinkState": {str(link): 1 for link in range(_LINKS)},
    "nvmlDeviceGetNvLinkRemotePciInfo_v2": {
        str(link): f"00000000:{5 + link % 4:02X}:00.0" for link in range(_LINKS)
    },
    "nvmlDeviceGetGpuFabricInfoV": {
        "state": 3,
        "status": 0,
        "healthMask": 0x1AA,
        "healthSummary": 1,
    },
    "nvmlDeviceGetSramEccErrorStatus": {"thresholdExceeded": 0},
    "nvmlDeviceGetRepairStatus": [0, 0],
    "nvmlDeviceValidateInforom": None,
}
"""A GPU on which all is well."""


def uuid(index: int) -> str:
    """Return what a GPU of these machines is called."""
    return f"GPU-4a1f0c52-8d11-4c0e-9b5e-{index:012d}"


def pci(index: int) -> str:
    """Return where it is plugged in."""
    return f"0000:{0x1B + index:02x}:00.0"


def card(index: int, changed: Answers | None = None, *, of: Answers = H100) -> Card:
    """Make a GPU that answers; what differs from the others is by NVML's function."""
    said = {**deepcopy(dict(of)), **(changed or {})}
    return Card(pci=pci(index), uuid=uuid(index), serial=f"16500{index:08d}", answers=said)


def fields(changed: Answers) -> Answers:
    """Return what a call for the fields of a GPU gives when some of them are changed."""
    return {FIELDS: {**H100[FIELDS], **changed}}


def machine(*cards: Card, count: int = 8) -> Gpus:
    """Make a machine with the driver up; with eight GPUs unless some are given."""
    there = cards or tuple(card(index) for index in range(count))
    bus = Bus(
        gpus=tuple(each.pci for each in there),
        switches=tuple(f"0000:{index:02x}:00.0" for index in range(5, 9)),
        lanes={each.pci: (16, 16) for each in there},
        nodes=len(there),
        module="570.124.06",
    )
    return Gpus(bus=bus, driver=Driver.UP, count=len(there), cards=tuple(there))


def with_card(
    gpus: Gpus,
    index: int,
    *,
    standing: Standing = Standing.ANSWERS,
    hang: Hang | None = None,
    answers: Answers | None = None,
) -> Gpus:
    """Change one of a machine's GPUs."""
    cards = list(gpus.cards)
    said = cards[index].answers if answers is None else answers
    cards[index] = replace(cards[index], standing=standing, hang=hang, answers=said)
    return replace(gpus, cards=tuple(cards))


def without_driver(gpus: Gpus, driver: Driver, *, code: int = 0, hang: Hang | None = None) -> Gpus:
    """Let the driver not answer any more."""
    cards = tuple(replace(each, standing=Standing.UNASKED) for each in gpus.cards)
    return replace(gpus, driver=driver, code=code, hang=hang, count=None, cards=cards)


@dataclass
class Watch:
    """An agent with one probe that looks at a machine again and again."""

    probe: Probe
    tree: Tree
    gpus: Gpus = field(default_factory=machine)
    uptime: float = 100.0
    known: State = field(
        default_factory=lambda: state.begin(
            None, boot_id="b1", node_uid="u", probes=["gpu"], now=NOON
        )
    )

    @classmethod
    def over(cls, root: Path, probe: Probe, gpus: Gpus | None = None) -> Self:
        """Watch a machine below a folder."""
        watch = cls(probe=probe, tree=Tree(root=root))
        watch.gpus = gpus if gpus is not None else machine()
        return watch

    def __post_init__(self) -> None:
        """Begin to know the machine's processes."""
        self.host = Host(
            root=self.tree.root,
            uptime=self.tree.root / "proc/uptime",
            gpus=lambda: self.gpus,
        )

    async def look(self, gpus: Gpus | None = None, *, after: float = 60) -> Seen:
        """Look once, some seconds after the last time; return the levels of the first GPU."""
        self.gpus = gpus if gpus is not None else self.gpus
        self.known = state.answered(self.known, "gpu", await self.answers(after), NOON)
        return self.of()

    async def answers(self, after: float = 60) -> list[Answer | Aside]:
        """Ask the probe."""
        self.uptime += after
        self.tree.up(self.uptime)
        return list(await self.probe.check(self.host, state.past(self.known, "gpu")))

    def of(self, subject: str = uuid(0)) -> Seen:
        """Return what is known of a GPU, and of the machine: numbers, or how else it is known."""
        return {
            each.name: each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge)
            for each in self.known.levels.get("gpu", ())
            if each.subject in {subject, ""}
        }

    def level(self, name: str, subject: str = uuid(0)) -> Level:
        """Return one level."""
        return state.past(self.known, "gpu")[name, subject]

    def restart(self, boot_id: str = "b1") -> None:
        """Let the agent start anew."""
        self.known = state.begin(
            self.known, boot_id=boot_id, node_uid="u", probes=["gpu"], now=NOON
        )
