"""The GPUs that were seen in this boot: what each said last, and which of them is asked next."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from agent.host.nvml.calls import FIELDS, LINKED, LINKS, ONCE, SLOW, VITALS
from agent.host.nvml.facts import LOST, NOT_SUPPORTED, Answers, Card, Hang, Standing
from agent.host.nvml.settings import Nvml

REST: Final = timedelta(minutes=10)
"""For how long a GPU is left alone after an XID that says that calls to it may hang."""
HURRY: Final = (0.0, 2.0)
"""Seconds after something happened to a GPU at which it is asked: its driver may need a moment to
say what is to be done."""
_HURRIED: Final = 1.0
"""Seconds between two times that a GPU is asked, however much happens to it."""
RELAPSE: Final = timedelta(minutes=30)
"""A GPU that hangs again so soon after it hung is left alone when that call returns, too."""
HANDLE: Final = "nvmlDeviceGetHandleByPciBusId_v2"
_UUID: Final = "nvmlDeviceGetUUID"
_NOT_FOUND: Final = 6
_NEVER: Final = float("-inf")
_NONE: Final = -1
_LINK_COUNT: Final = "91"
_STATES: Final = "nvmlDeviceGetNvLinkState"


@dataclass(slots=True, kw_only=True)
class _Gpu:
    pci: str
    answers: dict[str, Any] = field(default_factory=dict)
    uuid: str = ""
    serial: str = ""
    at: float = _NEVER
    asked: dict[str, float] = field(default_factory=dict)
    """When each tier was asked last."""
    life: int = _NONE
    """Which driver the answers are of."""
    is_introduced: bool = False
    """Whether it said to this driver what it is."""
    unsupported: Sequence[str] = ()
    is_lost: bool = False
    is_slow: bool = False
    rests_until: float | None = None
    rested_at: float = _NEVER
    """When it began to rest last."""
    soon: tuple[float, ...] = ()
    """When it is to be asked beside its turns."""
    stuck: Hang | None = None
    """A call that did not return, though nothing proves that it is the kernel's doing."""
    hung_at: float = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A GPU whose turn it is."""

    pci: str
    uuid: str
    tiers: tuple[str, ...]
    links: int


class Roll:
    """Keeps what GPUs said, by their addresses."""

    def __init__(self, settings: Nvml) -> None:
        self._gpus: dict[str, _Gpu] = {}
        self._every = {
            VITALS: settings.interval.total_seconds(),
            LINKED: settings.links.total_seconds(),
            SLOW: settings.slow.total_seconds(),
        }

    def know(self, pcis: Iterable[str], without: Collection[str] = ()) -> None:
        """Take in GPUs that there are, and strike out those that are none of ours any more."""
        for pci in pcis:
            self._gpus.setdefault(pci, _Gpu(pci=pci))
        for pci in without:
            self._gpus.pop(pci, None)

    def unsupported(self, life: int) -> Mapping[str, Sequence[str]]:
        """Return what is known not to be there with this driver, by GPU."""
        return {each.pci: each.unsupported for each in self._gpus.values() if each.life == life}

    def next(self, now: float, life: int, skipped: Collection[str]) -> Turn | None:
        """Return whose turn it is: the well before the slow, the longest unasked first."""
        due = [each for each in self._gpus.values() if self._is_due(each, now, life, skipped)]
        if not due:
            return None
        gpu = min(due, key=lambda each: (each.is_slow, each.asked.get(VITALS, _NEVER), each.pci))
        return Turn(
            pci=gpu.pci, uuid=gpu.uuid, tiers=self._tiers(gpu, now, life), links=_links(gpu.answers)
        )

    def next_at(self, skipped: Collection[str]) -> float:
        """Return when the next turn of any GPU comes."""
        return min(
            (
                max(self._due_at(each), each.rests_until or 0.0)
                for each in self._gpus.values()
                if each.pci not in skipped
            ),
            default=float("inf"),
        )

    def asked(self, turn: Turn, now: float) -> None:
        """Take note that a GPU is asked."""
        gpu = self._gpus[turn.pci]
        gpu.asked |= dict.fromkeys(turn.tiers, now)
        gpu.soon = tuple(at for at in gpu.soon if at > now)

    def answered(self, turn: Turn, line: Mapping[str, Any], now: float, life: int) -> None:
        """Take in what a GPU said, or that NVML would not let it speak."""
        gpu = self._gpus.get(turn.pci)
        if gpu is None:
            return
        code, said = line.get("code", 0), line.get("said", {})
        if gpu.life != life:
            gpu.answers, gpu.unsupported, gpu.life, gpu.is_introduced = {}, (), life, False
        gpu.stuck = None
        if gpu.rested_at < gpu.asked.get(VITALS, now):
            gpu.rests_until = None
        gpu.unsupported = line.get("unsupported", gpu.unsupported)
        if code:
            gpu.is_lost = code == LOST or (code == _NOT_FOUND and bool(gpu.uuid))
            gpu.answers[HANDLE] = {"error": code}
            return
        gpu.answers.pop(HANDLE, None)
        gpu.answers = merged(gpu.answers, said)
        gpu.is_lost = any(_code(each) == LOST for each in said.values())
        gpu.is_introduced |= _UUID in said
        gpu.at = now
        gpu.uuid = _text(gpu.answers.get(_UUID)) or gpu.uuid
        gpu.serial = _text(gpu.answers.get("nvmlDeviceGetSerial")) or gpu.serial

    def slow(self, pci: str, *, is_slow: bool) -> None:
        """Take note of whether a GPU took long: those that do come last."""
        if pci in self._gpus:
            self._gpus[pci].is_slow = is_slow

    def stuck(self, pci: str, hang: Hang) -> None:
        """Take note of a call that did not return, for a reason that is not known."""
        if pci in self._gpus:
            self._gpus[pci].stuck = hang

    def hung(self, pci: str, now: float) -> None:
        """Take note of a call that hangs in the kernel; it is asked again when that returned."""
        gpu = self._gpus.get(pci)
        if gpu is None:
            return
        is_relapse = now - gpu.hung_at < RELAPSE.total_seconds()
        gpu.hung_at, gpu.stuck = now, None
        if is_relapse:
            self.rest(pci, now)

    def rest(self, pci: str, now: float) -> None:
        """Leave a GPU alone for a while, whatever it says to what it is asked already."""
        if pci in self._gpus:
            gpu = self._gpus[pci]
            gpu.rests_until, gpu.rested_at, gpu.soon = now + REST.total_seconds(), now, ()

    def hurry(self, pci: str, now: float) -> None:
        """Ask a GPU at once and again in a moment, however lately it was asked."""
        if pci in self._gpus:
            gpu = self._gpus[pci]
            earliest = gpu.asked.get(VITALS, _NEVER) + _HURRIED
            gpu.soon = tuple(max(now + later, earliest) for later in HURRY)

    def wake(self) -> None:
        """Ask all of them again: there is another driver."""
        for gpu in self._gpus.values():
            gpu.rests_until, gpu.stuck, gpu.hung_at = None, None, _NEVER

    def forget(self) -> None:
        """Forget what all of them said: after a reset nothing of it need be true any more."""
        for gpu in self._gpus.values():
            gpu.answers, gpu.at, gpu.asked, gpu.is_introduced = {}, _NEVER, {}, False

    def cards(self, *, hung: Mapping[str, Hang], is_up: bool, since: float) -> tuple[Card, ...]:
        """Show all GPUs.

        Args:
            hung: Calls that hang in the kernel, by GPU.
            is_up: Whether the driver can be asked.
            since: What was said before that is not fresh any more.
        """
        return tuple(
            Card(
                pci=each.pci,
                uuid=each.uuid,
                serial=each.serial,
                standing=_standing(each, hung, is_up=is_up, since=since),
                hang=hung.get(each.pci) or each.stuck,
                answers=each.answers,
                at=max(each.at, 0.0),
            )
            for each in sorted(self._gpus.values(), key=lambda each: each.pci)
        )

    def _due_at(self, gpu: _Gpu) -> float:
        """Return when a GPU is to be asked that does not rest."""
        return min((gpu.asked.get(VITALS, _NEVER) + self._every[VITALS], *gpu.soon))

    def _is_due(self, gpu: _Gpu, now: float, life: int, skipped: Collection[str]) -> bool:
        if gpu.pci in skipped or (gpu.rests_until is not None and now < gpu.rests_until):
            return False
        return VITALS in self._tiers(gpu, now, life)

    def _tiers(self, gpu: _Gpu, now: float, life: int) -> tuple[str, ...]:
        """Return what is due; what is dear goes along with what is cheap."""
        every = (
            {ONCE: 0.0, **self._every} if gpu.life != life or not gpu.is_introduced else self._every
        )
        if gpu.life not in {life, _NONE}:
            return tuple(every)
        is_soon = any(at <= now for at in gpu.soon)
        turn = self._every[VITALS]
        slack = {VITALS: turn if is_soon else 0.0, LINKED: turn / 2, SLOW: turn / 2}
        return tuple(
            tier
            for tier, pause in every.items()
            if now - gpu.asked.get(tier, _NEVER) >= pause - slack.get(tier, 0.0)
        )


def merged(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Put what was said last over what was said before; fields each for itself."""
    answers = {**before, **said}
    fields, asked = before.get(FIELDS), said.get(FIELDS)
    if asked is None or _code(asked):
        return answers
    known = fields if fields is not None and not _code(fields) else {}
    both = {**known, **asked}
    answers[FIELDS] = {
        name: value for name, value in both.items() if _code(value) not in NOT_SUPPORTED
    }
    return answers


def _standing(gpu: _Gpu, hung: Mapping[str, Hang], *, is_up: bool, since: float) -> Standing:
    if gpu.pci in hung or gpu.stuck is not None:
        return Standing.HUNG
    if gpu.is_lost:
        return Standing.LOST
    if gpu.rests_until is not None:
        return Standing.RESTING
    return Standing.ANSWERS if is_up and gpu.at >= since else Standing.UNASKED


def _links(answers: Answers) -> int:
    """Return how many NVLinks a GPU has, as far as it said so."""
    fields = answers.get(FIELDS)
    count = fields.get(_LINK_COUNT) if isinstance(fields, Mapping) else None
    if isinstance(count, int):
        return min(count, LINKS)
    states = answers.get(_STATES)
    return len(states) if isinstance(states, Mapping) and not _code(states) else LINKS


def _code(answer: object) -> int:
    """Return the error that was given in an answer's place, or 0."""
    code = answer.get("error", 0) if isinstance(answer, Mapping) else 0
    return code if isinstance(code, int) else 0


def _text(answer: object) -> str:
    return answer if isinstance(answer, str) else ""
