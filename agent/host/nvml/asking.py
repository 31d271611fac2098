"""Asks one GPU all that is due, remembers what there is not, and stops where it must."""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from agent.host.nvml import calls
from agent.host.nvml.calls import Call
from agent.host.nvml.ways import Handle, Nvml

_MIG: Final = "nvmlDeviceGetMigMode"
_MISSING: Final = 13
"""There is no such function: in NVML, or in pynvml."""


class Gpu:
    """A GPU as the worker sees it.

    Args:
        nv: pynvml.
        handle: What NVML knows it by.
        unsupported: What is known not to be there; grows.
        making: Told of every call before it is made.
    """

    def __init__(
        self, nv: Nvml, handle: Handle, unsupported: set[str], making: Callable[[str], None]
    ) -> None:
        self.handle = handle
        self.unsupported = unsupported
        self.took: dict[str, int] = {}
        """Microseconds of each call in the last batch."""
        self.latency = 0
        """The longest that NVML says any field took in the last batch, in microseconds."""
        self._nv, self._making = nv, making
        self._mig: object = None

    def ask(
        self, tiers: Iterable[str], links: int, is_enough: Callable[[], bool]
    ) -> dict[str, object]:
        """Make the calls of some tiers, until it is enough or the GPU is lost."""
        self.took, self.latency = {}, 0
        said: dict[str, object] = {}
        for name, answer in self._answers(tuple(tiers), links):
            if answer is not None or name not in self.unsupported:
                said[name] = answer
            if is_lost(answer) or is_enough():
                break
        self._remember_mig(said)
        return said

    def make(self, name: str, call: Callable[[], object]) -> object:
        """Make a call unless there is none such; return what it gave, or its error."""
        self._making(name)
        began = time.perf_counter()
        try:
            return call()
        except self._nv.NVMLError as error:
            code = error.value
        except AttributeError:
            code = _MISSING
        finally:
            self.took[name] = round((time.perf_counter() - began) * 1e6)
        if code in calls.UNSUPPORTED:
            self.unsupported.add(name)
        return {"error": code}

    def _answers(self, tiers: tuple[str, ...], links: int) -> Iterator[tuple[str, object]]:
        fields = self._fields(tiers, links)
        if fields is not None:
            yield calls.FIELDS, fields
        for call in calls.of(tiers):
            ways = [each for each in call.ways if each[0] not in self.unsupported]
            if ways:
                yield call.name, self._first(call, links)

    def _first(self, call: Call, links: int) -> object:
        """Ask in the newest way that there is."""
        answer: object = None
        for name, way in call.ways:
            if name in self.unsupported:
                continue
            answer = self.make(name, functools.partial(way, self._nv, self.handle, links))
            if name not in self.unsupported:
                return answer
        return answer

    def _fields(self, tiers: tuple[str, ...], links: int) -> object:
        wanted = [
            key
            for key in calls.fields(tiers, links)
            if f"field {calls.spelled(*key)}" not in self.unsupported
        ]
        if not wanted or calls.FIELDS in self.unsupported:
            return None
        return self.make(calls.FIELDS, lambda: self._values(wanted))

    def _values(self, wanted: list[tuple[int, int | None]]) -> object:
        values, self.latency = calls.field_values(self._nv, self.handle, wanted)
        missing = {name for name, value in values.items() if is_unsupported(value)}
        self.unsupported |= {f"field {name}" for name in missing}
        return values

    def _remember_mig(self, said: Mapping[str, object]) -> None:
        """Forget what there is not when MIG was turned on or off: it decides over links."""
        if _MIG not in said:
            return
        if self._mig not in {None, repr(said[_MIG])}:
            self.unsupported.clear()
        self._mig = repr(said[_MIG])


def is_lost(answer: object) -> bool:
    """Say whether NVML said that the GPU is lost."""
    return isinstance(answer, dict) and answer.get("error") == calls.LOST


def is_unsupported(answer: object) -> bool:
    """Say whether NVML said that there is no such thing."""
    return isinstance(answer, dict) and answer.get("error") in calls.UNSUPPORTED
