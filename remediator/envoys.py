"""Has one object do one deed on a node: what `decide.envoys` says is done here."""

import abc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic

from nodehealth import keys
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors, patches
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Resource
from nodehealth.kube.patches import Operation
from nodehealth.repair import NodeRepair
from remediator.decide.envoys import Claim, Envoy, GiveUp, Make, Outcome, Start, Step, Stop, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch(abc.ABC, Generic[Envoy]):
    """What sends one envoy for the present rung of a repair.

    Fields:
        client: The door to the API server.
        clock: The present time.
        resource: What kind of object goes.
        namespace: Where it is made.
        repair: Who sends it.
        node: The Node as it was just read.
        claim: Writes down that the envoy of this UID may be let go, if the repair may do this to
            its node at this moment.
        start: Checks the same for an envoy that was claimed before and not let go.
    """

    client: Client
    clock: Clock
    resource: Resource[Envoy]
    namespace: str
    repair: NodeRepair
    node: Node | None
    claim: Callable[[str], Awaitable[None]]
    start: Callable[[str], Awaitable[None]]

    @abc.abstractmethod
    async def body(self) -> Mapping[str, Any]:
        """Return what is made, of which nothing comes until it is let go."""

    @abc.abstractmethod
    def unmade(self, refused: str) -> Wait | GiveUp:
        """Return what follows when the API server refused to make it."""

    @abc.abstractmethod
    async def let_go(self, envoy: Envoy) -> Wait:
        """Let an envoy do its deed, if it still is the one that is meant."""

    @abc.abstractmethod
    async def call_back(self, envoy: Envoy, message: str) -> Wait:
        """See to it that an envoy never does its deed, or does it no longer."""

    async def take(self, step: Step[Envoy]) -> Outcome:
        """Take a step, and say where the deed stands.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
            remediator.actions.SupersededError: it is not ours to do.
        """
        match step:
            case Make():
                return await self._make()
            case Claim():
                await self.claim(step.envoy.metadata.uid)
                return await self.let_go(step.envoy)
            case Start():
                await self.start(step.envoy.metadata.uid)
                return await self.let_go(step.envoy)
            case Stop():
                return await self.call_back(step.envoy, step.message)
            case _:
                return step

    async def _make(self) -> Wait | GiveUp:
        kind = self.resource.kind
        try:
            await self.client.create(self.resource, await self.body(), namespace=self.namespace)
        except errors.ConflictError:
            return Wait(message=f"its {kind} was made already")
        except (errors.GoneError, errors.ForbiddenError, errors.InvalidError) as refused:
            return self.unmade(str(refused))
        return Wait(message=f"its {kind} is made")


async def called_off(
    client: Client, resource: Resource[Envoy], envoy: Envoy, now: datetime
) -> Envoy:
    """Note on an envoy that it is called off, and return it as it is then.

    A request that lets it go tests its version, so none that was on its way comes through.

    Raises:
        nodehealth.kube.errors.TestFailedError: it is not as it was read any more.
        nodehealth.kube.errors.GoneError: it is gone.
    """
    noted = {**envoy.metadata.annotations, keys.CALLED_OFF_ANNOTATION: now.isoformat()}
    return await change(client, resource, envoy, patches.add("/metadata/annotations", noted))


async def change(
    client: Client, resource: Resource[Envoy], envoy: Envoy, operation: Operation
) -> Envoy:
    """Change an envoy that is as it was read.

    Raises:
        nodehealth.kube.errors.TestFailedError: it is not.
        nodehealth.kube.errors.GoneError: it is gone.
    """
    meta = envoy.metadata
    changes = [
        patches.test("/metadata/uid", meta.uid),
        patches.test("/metadata/resourceVersion", meta.resource_version),
        operation,
    ]
    return await client.json_patch(resource, meta.name, changes, namespace=meta.namespace)


async def find(
    client: Client, resource: Resource[Envoy], name: str, *, namespace: str
) -> Envoy | None:
    """Read an envoy, if it is there."""
    try:
        return await client.get(resource, name, namespace=namespace)
    except errors.GoneError:
        return None
