"""What the simulation asks of whoever stands behind a node that is not simulated."""

import abc


class Hooks(abc.ABC):
    """Follows the machine of an external node; it must be quick, or start work of its own."""

    @abc.abstractmethod
    async def machine_gone(self, node: str) -> None:
        """The machine is switched off: stop its agent, forget what was on its disks."""

    @abc.abstractmethod
    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """A machine has booted as this Node: start its agent."""


class NoHooks(Hooks):
    """For clusters without external nodes."""

    async def machine_gone(self, node: str) -> None:
        """Do nothing."""

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Do nothing."""
