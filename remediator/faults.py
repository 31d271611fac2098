"""The faults that people are only told of: each once when it begins and once when it ends."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from remediator.decide.faults import Fault

TellFault: TypeAlias = Callable[[Fault], Awaitable[None]]
_Identity: TypeAlias = tuple[str, str]
"""The machine and the rule: a fault of another machine of the same name is another fault."""


class Faults:
    """What holds on each node and is only told; in memory, so a new leader finds it again.

    Args:
        begun: Is told of a fault that was not there before.
        over: Is told of a fault that is not there any more.
    """

    def __init__(self, *, begun: TellFault, over: TellFault) -> None:
        self._begun, self._over = begun, over
        self._known: dict[str, dict[_Identity, Fault]] = {}

    def all(self) -> tuple[Fault, ...]:
        """Return the faults that hold now, of all nodes."""
        return tuple(fault for faults in self._known.values() for fault in faults.values())

    def forget(self) -> None:
        """Forget everything without a word: what was true when we led last may not be now."""
        self._known.clear()

    async def see(self, node: str, faults: Iterable[Fault]) -> None:
        """Take in which faults a node has now, and tell what is new and what is over."""
        now = {(fault.node_uid, fault.rule): fault for fault in faults}
        before = self._known.pop(node, {})
        if now:
            self._known[node] = now
        for identity in now.keys() - before.keys():
            await self._begun(now[identity])
        for identity in before.keys() - now.keys():
            await self._over(before[identity])
