"""The agent's own NodeHealth: made once, then only its status is written."""

import logging

import msgspec

from agent import packing
from nodehealth.health import NODE_HEALTHS, NodeHealth, NodeHealthStatus
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Metadata, OwnerReference

logger = logging.getLogger(__name__)


class NotOursError(Exception):
    """The NodeHealth of our name belongs to a machine that had the name before us."""


class Report:
    """Writes the NodeHealth of one Node, which owns it: when the Node goes, so does it."""

    def __init__(self, client: Client, *, node: str, node_uid: str) -> None:
        self._client = client
        self._node = node
        self._node_uid = node_uid
        self._is_there = False

    async def send(self, status: NodeHealthStatus) -> None:
        """Write the whole status, and make the object first where there is none.

        Raises:
            NotOursError: another machine's report is still there; the garbage collector takes it.
            nodehealth.kube.errors.KubeError: the API server did not do it, or did not say so.
        """
        if not self._is_there:
            await self._settle()
        try:
            await self._patch(status)
        except errors.GoneError:
            logger.info("NodeHealth %s is gone; making it anew", self._node)
            self._is_there = False
            await self._settle()
            await self._patch(status)

    async def _patch(self, status: NodeHealthStatus) -> None:
        body = {"status": packing.packed(status)}
        await self._client.merge_patch(NODE_HEALTHS, self._node, body, subresource="status")

    async def _settle(self) -> None:
        """See to it that the object is there and is ours."""
        try:
            found = await self._client.get(NODE_HEALTHS, self._node)
        except errors.GoneError:
            found = await self._create()
        if not found.metadata.owner_references:
            found = await self._adopt()
        owners = [owner.uid for owner in found.metadata.owner_references]
        if self._node_uid not in owners:
            raise NotOursError(
                f"NodeHealth {self._node} belongs to the Node with UID {', '.join(owners)}, "
                f"not to {self._node_uid}; waiting until the garbage collector has removed it"
            )
        self._is_there = True

    async def _create(self) -> NodeHealth:
        metadata = Metadata(name=self._node, owner_references=(self._owner(),))
        try:
            return await self._client.create(NODE_HEALTHS, NodeHealth(metadata=metadata))
        except errors.GoneError as missing:
            resource = f"{NODE_HEALTHS.plural}.{NODE_HEALTHS.group}"
            raise errors.GoneError(
                f"the API server has no {resource}: the CustomResourceDefinition is missing"
            ) from missing

    async def _adopt(self) -> NodeHealth:
        """Become the owner's of an object that somebody made by hand, and that nobody owns."""
        owners = msgspec.to_builtins((self._owner(),))
        body = {"metadata": {"ownerReferences": owners}}
        return await self._client.merge_patch(NODE_HEALTHS, self._node, body)

    def _owner(self) -> OwnerReference:
        return OwnerReference(
            api_version=NODES.api_version, kind=NODES.kind, name=self._node, uid=self._node_uid
        )
