"""One owner of machines a file; a provider is found by its module's name."""

import abc
from dataclasses import dataclass
from enum import StrEnum

from nodehealth.kube.client import Client
from nodehealth.repair import Target
from remediator.decide.fencing import Power

__all__ = ["MachineState", "Power", "Provider", "ProviderError", "UnableError"]


class ProviderError(Exception):
    """The owner gave no clear answer; it may be asked again, with the same key."""


class UnableError(ProviderError):
    """The owner can't or won't do it, and asking again changes nothing."""


class MachineState(StrEnum):
    """What has become of the machine that a repair is about."""

    FOREIGN = "foreign"
    """It is none of this owner's machines."""
    PRESENT = "present"
    """It is the machine it was, and nobody has asked for it to go."""
    LEAVING = "leaving"
    """It is on its way out, or its successor is on its way in."""
    REPLACED = "replaced"
    """Its successor has joined the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(abc.ABC):
    """Who owns the machines; every method names a machine by its identity, never by its Node.

    Whoever can prove that a machine is off overrides `power` and `fence`. Where nothing but the
    machine's end proves it, `fence` ends the machine, and `power` says that it is gone.
    Whoever can switch one off and on again overrides `power_cycle`.
    """

    @abc.abstractmethod
    async def state(self, target: Target, client: Client) -> MachineState:
        """Say what has become of the machine.

        Raises:
            ProviderError: the owner gave no clear answer.
        """

    @abc.abstractmethod
    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Ask for the machine to be replaced; asking twice with one key is asking once.

        Raises:
            ProviderError: the owner gave no clear answer, or refused.
        """

    async def power(self, target: Target, client: Client) -> Power:
        """Say whether the machine is on; what is not certainly off is unknown.

        Raises:
            ProviderError: the owner gave no clear answer.
        """
        del target, client
        return Power.UNKNOWN

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Ask for the machine to be off, and to stay off; twice with one key is once.

        Raises:
            UnableError: the owner has no way to switch this machine off.
            ProviderError: the owner gave no clear answer.
        """
        del key, client
        raise UnableError(f"the owner of {target.node} has no way to switch a machine off")

    @property
    def cycles(self) -> bool:
        """Say whether it has a way to switch machines off and on again."""
        return type(self).power_cycle is not Provider.power_cycle

    async def power_cycle(self, target: Target, key: str, client: Client) -> None:
        """Ask for the machine to be switched off hard, and on again: on as well if it was off.

        It is asked once for each key, and what it comes to shows in the Node's boot.

        Raises:
            UnableError: the owner has no way to do that, or refused, and did nothing.
            ProviderError: the owner gave no clear answer, and may have done it.
        """
        del key, client
        raise UnableError(f"the owner of {target.node} has no way to switch a machine off and on")
