"""How each GPU says that it is, and what NVIDIA's driver says must be done with it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent import cards
from agent.cards import Told
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import Silence
from agent.host.nvml.facts import INFOROM_CORRUPT, RESET_REQUIRED, Card, Gpus
from agent.probe import Past, Probe
from agent.readings import Answer, Reading

FAILING: Final = "gpu.failing"
RECOVERY: Final = "gpu.recovery_action"
PERSISTENCE: Final = "gpu.persistence_off"
MIG: Final = "gpu.mig_pending"
INFOROM: Final = "gpu.inforom_corrupt"
VBIOS: Final = "gpu.vbios_differs"

_ACTION: Final = 230
_ACTIONS: Final[Mapping[int, str]] = {
    0: "none",
    1: "reset",
    2: "reboot",
    3: "drain-p2p",
    4: "drain-and-reset",
    5: "recover-imex",
    6: "bus-reset",
    7: "system-reboot",
}
_FAILURES: Final = frozenset({8, 11, 17, 999})
"""No power, an interrupt that does not come, the operating system, unknown."""
_FREQUENT: Final = frozenset(
    {
        answers.FIELDS,
        cards.HANDLE,
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetPerformanceState",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetRemappedRows",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetUtilizationRates",
    }
)
"""Calls of every sweep: what a seldom one answered stays, and would be counted again and again."""
_ENOUGH: Final = 3
"""In how many looks in a row a GPU answers with errors before it is called failing."""
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUState(Probe):
    """Asks each GPU what its driver thinks of it, and whether it is set up as it should be."""

    async def stirred(self, host: Host) -> None:
        """Be asked as soon as a driver wants something else done with a GPU than before."""
        await host.gpus_changed("gpu_state")

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say what each GPU says of itself."""
        gpus = host.gpus()
        return [
            *_failing(gpus, past),
            *_recovery(gpus, past),
            *cards.levels(_READERS, gpus, past),
            *_vbios(gpus, past),
        ]


def _failing(gpus: Gpus, past: Past) -> Iterator[Reading]:
    """Count the looks in a row in which a GPU answered with errors."""
    told = (*cards.spoken(gpus), *cards.refused(gpus, _FAILURES))
    for card in told:
        before = past.get((FAILING, cards.subject(card)))
        looks = int(before.fields.get("looks", 0)) if before is not None else 0
        bad = (code for call, code in answers.codes(card.answers) if call in _FREQUENT)
        code = next((each for each in bad if each in _FAILURES), None)
        if code is None:
            yield cards.reading(FAILING, card, 0.0)
        else:
            looks = min(looks + 1, _ENOUGH)
            fields = {"code": code, "looks": looks}
            yield cards.reading(FAILING, card, float(looks == _ENOUGH), fields)
    yield from cards.mute([FAILING], gpus, past, told)


def _recovery(gpus: Gpus, past: Past) -> Iterator[Reading]:
    told = (*cards.spoken(gpus), *cards.refused(gpus, {RESET_REQUIRED}))
    for card in told:
        action = _action(card)
        if isinstance(action, Silence):
            yield cards.reading(RECOVERY, card, action)
        else:
            fields = {"action": _ACTIONS.get(action, f"action {action}")}
            yield cards.reading(RECOVERY, card, float(action), fields)
    yield from cards.mute([RECOVERY], gpus, past, told)


def _action(card: Card) -> int | Silence:
    """Return the driver's own word, or that a reset is required if a call said so."""
    action = answers.field(card.answers, _ACTION)
    if isinstance(action, int) and action > 0:
        return action
    return 1 if answers.any_code(card.answers, RESET_REQUIRED) else action


def _persistence(card: Card) -> Told:
    mode = answers.number(card.answers, "nvmlDeviceGetPersistenceMode")
    return mode if isinstance(mode, Silence) else float(mode == 0)


def _mig(card: Card) -> Told:
    current = answers.number(card.answers, "nvmlDeviceGetMigMode", 0)
    pending = answers.number(card.answers, "nvmlDeviceGetMigMode", 1)
    if isinstance(current, Silence):
        return current
    return pending if isinstance(pending, Silence) else float(current != pending)


def _inforom(card: Card) -> Told:
    if answers.any_code(card.answers, INFOROM_CORRUPT):
        return 1.0
    return answers.called(card.answers, "nvmlDeviceValidateInforom") or 0.0


_READERS: Final = {PERSISTENCE: _persistence, MIG: _mig, INFOROM: _inforom}


def _vbios(gpus: Gpus, past: Past) -> Iterator[Reading]:
    """Compare GPUs of one model: what they were delivered with stays true while nobody asks."""
    versions = defaultdict[str, set[str]](set)
    for card in gpus.cards:
        model = answers.text(card.answers, "nvmlDeviceGetName")
        version = answers.text(card.answers, "nvmlDeviceGetVbiosVersion")
        if isinstance(model, str) and isinstance(version, str):
            versions[model].add(version)
    if versions:
        differing = sorted(each for of in versions.values() if len(of) > 1 for each in of)
        fields = {"versions": ", ".join(differing)[:_LONGEST]} if differing else None
        yield cards.said(VBIOS, "", float(bool(differing)), fields)
    elif cards.was_known(past.get((VBIOS, ""))):
        why = cards.unasked(gpus) or answers.unknown("no GPU tells its VBIOS version")
        yield cards.said(VBIOS, "", why)
