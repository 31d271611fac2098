"""What the simulation asks of whoever stands behind a node that is not simulated."""

import abc
from collections.abc import Sequence

from nodehealth.outcome import Outcome


class Hooks(abc.ABC):
    """Follows the machine of an external node; it must be quick, or start work of its own."""

    @abc.abstractmethod
    async def machine_gone(self, node: str) -> None:
        """The machine is switched off: stop its agent, forget what was on its disks."""

    @abc.abstractmethod
    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """A machine has booted as this Node: start its agent."""

    async def errand(self, node: str, words: Sequence[str]) -> Outcome | None:
        """A repair Pod runs this command: return how it ended, or nothing to have it simulated."""
        del node, words
        return None


class NoHooks(Hooks):
    """For clusters without external nodes."""

    async def machine_gone(self, node: str) -> None:
        """Do nothing."""

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Do nothing."""
