"""One owner of machines a file; a provider is found by its module's name."""

import abc
from dataclasses import dataclass
from enum import StrEnum

from nodehealth.kube.client import Client
from nodehealth.repair import Target


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
    """Who owns the machines; both methods name a machine by its identity, never by its Node."""

    @abc.abstractmethod
    async def state(self, target: Target, client: Client) -> MachineState:
        """Say what has become of the machine."""

    @abc.abstractmethod
    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Ask for the machine to be replaced; asking twice with one key is asking once."""
