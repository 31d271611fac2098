"""Machines of the simulator: custom resources whose deletion brings up a successor."""

from dataclasses import dataclass
from typing import Final

from nodehealth.kube import errors, patches
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.repair import Target
from remediator.providers import MachineState, Power, Provider, UnableError

_SCHEME: Final = "sim://"
_REBOOT: Final = "simulator.nodemend.dev/reboot"
"""The annotation by which a machine goes down and comes up again, once for each key."""


class MachineStatus(Struct, frozen=True, kw_only=True):
    """What is seen of a machine."""

    phase: str = ""
    node_uid: str = ""
    power: str = ""


class Machine(Object, frozen=True, kw_only=True):
    """The part of a simulated machine that matters to its replacement."""

    status: MachineStatus = MachineStatus()


MACHINES: Final = Resource(
    group="simulator.nodemend.dev",
    version="v1",
    plural="machines",
    kind="Machine",
    namespaced=False,
    type=Machine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator(Provider):
    """Replaces a machine by deleting its object, by UID."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Compare the machine of the node's name with the one that the repair is about."""
        if not target.provider_id.startswith(_SCHEME):
            return MachineState.FOREIGN
        try:
            machine = await client.get(MACHINES, target.node)
        except errors.GoneError:
            return MachineState.LEAVING
        if machine.metadata.uid == _uid(target):
            going = machine.metadata.deletion_timestamp is not None
            return MachineState.LEAVING if going else MachineState.PRESENT
        joined = machine.status.phase == "Running" and machine.status.node_uid
        return MachineState.REPLACED if joined else MachineState.LEAVING

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Delete the machine; its UID is the idempotency key, so `key` is not needed."""
        del key
        try:
            await client.delete(MACHINES, target.node, uid=_uid(target))
        except (errors.GoneError, errors.ConflictError):
            return

    async def power(self, target: Target, client: Client) -> Power:
        """Say what the machine's status says; one of another UID is another machine."""
        if not target.provider_id.startswith(_SCHEME):
            return Power.UNKNOWN
        try:
            machine = await client.get(MACHINES, target.node)
        except errors.GoneError:
            return Power.GONE
        if machine.metadata.uid != _uid(target):
            return Power.GONE
        return Power.OFF if machine.status.power == "Off" else Power.ON

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Want the machine off: saying it twice changes nothing, so `key` is not needed."""
        del key
        if not target.provider_id.startswith(_SCHEME):
            raise UnableError(f"{target.provider_id or target.node} is not one of these machines")
        wanted = [
            patches.test("/metadata/uid", _uid(target)),
            patches.add("/spec/power", "Off"),
        ]
        try:
            await client.json_patch(MACHINES, target.node, wanted)
        except (errors.GoneError, errors.TestFailedError):
            return

    async def power_cycle(self, target: Target, key: str, client: Client) -> None:
        """Want the machine on, and have it boot anew."""
        if not target.provider_id.startswith(_SCHEME):
            raise UnableError(f"{target.provider_id or target.node} is not one of these machines")
        try:
            machine = await client.get(MACHINES, target.node)
            wanted = [
                patches.test("/metadata/uid", _uid(target)),
                patches.add("/spec/power", "On"),
                _annotated(machine, key),
            ]
            await client.json_patch(MACHINES, target.node, wanted)
        except (errors.GoneError, errors.TestFailedError) as gone:
            raise UnableError(f"there is no machine {target.provider_id} any more") from gone


def _annotated(machine: Machine, key: str) -> patches.Operation:
    if not machine.metadata.annotations:
        return patches.add("/metadata/annotations", {_REBOOT: key})
    return patches.add(patches.pointer("metadata", "annotations", _REBOOT), key)


def _uid(target: Target) -> str:
    return target.provider_id.removeprefix(_SCHEME)
