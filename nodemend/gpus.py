"""What a person wants to know of a machine's GPUs, each by itself, as data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from agent import cards
from agent.host.nvml import answers
from agent.host.nvml.facts import Card, Driver, Gpus, Standing
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level
from nodehealth.kube.objects import Struct
from nodehealth.signals import Knowledge

_ACTION: Final = "gpu.recovery_action"
_TOLD_ELSEWHERE: Final = frozenset({"pci", "serial", "expected", "looks", "links", "peers"})
_FABRIC: Final = {0: "none", 1: "not started", 2: "in progress", 3: "completed"}


class Gpu(Struct, frozen=True, kw_only=True):
    """One GPU; what it does not tell is nothing."""

    index: int
    """Its place in the order of addresses."""
    pci: str
    uuid: str
    serial: str = ""
    name: str | None = None
    standing: Standing
    amiss: tuple[str, ...] = ()
    """What is not as it is on a healthy machine."""
    celsius: int | None = None
    margin_celsius: int | None = None
    watts: int | None = None
    watts_limit: int | None = None
    utilization_percent: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    remap_pending: int | None = None
    remap_failed: int | None = None
    nvlinks_up: int | None = None
    nvlinks: int | None = None
    pcie_generation: int | None = None
    pcie_generation_most: int | None = None
    pcie_lanes: int | None = None
    pcie_lanes_most: int | None = None
    recovery_action: str | None = None
    mig: bool | None = None
    fabric: str | None = None
    vbios: str | None = None
    gsp: str | None = None


class Machine(Struct, frozen=True, kw_only=True):
    """All of them, and the driver."""

    driver: Driver
    refused: str | None = None
    """Why NVML could not be opened when it was last tried, if it could not."""
    driver_version: str | None = None
    nvml_version: str | None = None
    cuda_version: str | None = None
    on_the_bus: int = 0
    switches: int = 0
    gpus: tuple[Gpu, ...] = ()


def seen(gpus: Gpus, levels: Iterable[Level]) -> Machine | None:
    """Put together what NVML said and what probes made of it; nothing where there is no GPU."""
    if not (gpus.bus.gpus or gpus.cards):
        return None
    told: dict[str, list[Level]] = {}
    for level in levels:
        told.setdefault(level.subject, []).append(level)
    return Machine(
        driver=gpus.driver,
        refused=answers.words(gpus.code) if gpus.code else None,
        driver_version=gpus.version or None,
        nvml_version=_text(gpus.system, "nvmlSystemGetNVMLVersion"),
        cuda_version=_cuda(gpus),
        on_the_bus=len(gpus.bus.gpus),
        switches=len(gpus.bus.switches),
        gpus=tuple(
            _gpu(index, each, told.get(each.uuid or each.pci, []))
            for index, each in enumerate(gpus.cards)
        ),
    )


def amiss(level: Level) -> str:
    """Say what is not as it is on a healthy machine; nothing where it is, or is not known."""
    if level.knowledge is not Knowledge.KNOWN or level.name not in CATALOGUE:
        return ""
    if level.value in {None, level.fields.get("expected", CATALOGUE[level.name].healthy)}:
        return ""
    said = [
        f"{value}"
        for name, value in level.fields.items()
        if name not in _TOLD_ELSEWHERE and value != ""
    ]
    about = level.name.partition(".")[2].replace("_", " ")
    number = f" {level.value:g}" if level.value != 1 else ""
    return f"{about}{number}" + (f" ({', '.join(said)})" if said else "")


def _gpu(index: int, card: Card, levels: Sequence[Level]) -> Gpu:
    said = card.answers
    mig = _flag(_number(said, "nvmlDeviceGetMigMode", 0))
    states = answers.told(said, "nvmlDeviceGetNvLinkState")
    up = [_number(said, "nvmlDeviceGetNvLinkState", each) for each in states]
    return Gpu(
        index=index,
        pci=card.pci,
        uuid=card.uuid,
        serial=card.serial,
        name=_text(said, "nvmlDeviceGetName"),
        standing=card.standing,
        amiss=(*_refused(card), *filter(None, map(amiss, levels))),
        celsius=_number(said, "nvmlDeviceGetTemperatureV"),
        margin_celsius=_number(said, "nvmlDeviceGetMarginTemperature"),
        watts=_thousandth(_number(said, "nvmlDeviceGetPowerUsage")),
        watts_limit=_thousandth(_number(said, "nvmlDeviceGetEnforcedPowerLimit")),
        utilization_percent=_number(said, "nvmlDeviceGetUtilizationRates", "gpu"),
        memory_used=_number(said, "nvmlDeviceGetMemoryInfo", "used"),
        memory_total=_number(said, "nvmlDeviceGetMemoryInfo", "total"),
        ecc_corrected=_number(said, answers.FIELDS, "3"),
        ecc_uncorrected=_number(said, answers.FIELDS, "4"),
        remap_pending=_number(said, "nvmlDeviceGetRemappedRows", 2),
        remap_failed=_number(said, "nvmlDeviceGetRemappedRows", 3),
        nvlinks_up=up.count(1) if up and not mig else None,
        nvlinks=len(up) if up and not mig else None,
        pcie_generation=_number(said, "nvmlDeviceGetCurrPcieLinkGeneration"),
        pcie_generation_most=_number(said, "nvmlDeviceGetMaxPcieLinkGeneration"),
        pcie_lanes=_number(said, "nvmlDeviceGetCurrPcieLinkWidth"),
        pcie_lanes_most=_number(said, "nvmlDeviceGetMaxPcieLinkWidth"),
        recovery_action=next(_actions(levels), None),
        mig=mig,
        fabric=_fabric(_number(said, "nvmlDeviceGetGpuFabricInfoV", "state")),
        vbios=_text(said, "nvmlDeviceGetVbiosVersion"),
        gsp=_text(said, "nvmlDeviceGetGspFirmwareVersion"),
    )


def _refused(card: Card) -> Iterator[str]:
    code = cards.refusal(card)
    if code and card.standing is Standing.UNASKED:
        yield f"the driver does not let us speak to it ({answers.words(code)})"


def _actions(levels: Iterable[Level]) -> Iterator[str]:
    for level in levels:
        if level.name == _ACTION and level.knowledge is Knowledge.KNOWN:
            yield str(level.fields.get("action", ""))


def _cuda(gpus: Gpus) -> str | None:
    number = _number(gpus.system, "nvmlSystemGetCudaDriverVersion_v2")
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"


def _number(said: Mapping[str, object], call: str, *within: str | int) -> int | None:
    told = answers.number(said, call, *within)
    return told if isinstance(told, int) else None


def _text(said: Mapping[str, object], call: str) -> str | None:
    told = answers.text(said, call)
    return told if isinstance(told, str) else None


def _fabric(state: int | None) -> str | None:
    return None if state is None else _FABRIC.get(state, f"state {state}")


def _thousandth(number: int | None) -> int | None:
    return None if number is None else round(number / 1000)


def _flag(number: int | None) -> bool | None:
    return None if number is None else number == 1
