"""Gives back what belongs to no repair any more: the traces of a replica that woke up too late."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.repair import NODE_REPAIRS
from remediator import errands
from remediator.actions import SupersededError
from remediator.admission import Admission
from remediator.decide import maintenance, marks, plan, returning

logger = logging.getLogger(__name__)


async def _nobody(_: Node) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reap:
    """Looks at one node that is held although the cache shows no repair that holds it."""

    client: Client
    admission: Admission
    held: Callable[[Node], Awaitable[str]] = _nobody
    """Says who else holds a node by a lock that does not lie on the Node."""

    async def reap(self, name: str) -> None:
        """Release the node if, by what the API server says now, no repair holds it.

        Node and ledger are read before the repairs: whoever was admitted until then is among them.
        What its slot says of orders is read after them: a repair that is gone gives none any more.

        Raises:
            nodehealth.kube.errors.UnreadableError: a repair cannot be read: it may be the one.
            nodehealth.kube.errors.KubeError: the API server failed us; try again later.
        """
        node = await self._node(name)
        ledger = await self.admission.ledger()
        repairs = (await self.client.listing(NODE_REPAIRS)).whole()
        if any(plan.may_hold(each) and each.spec.target.node == name for each in repairs):
            return
        epochs = marks.held_epochs(node, ledger, name)
        if returning.keeps(await self.admission.ledger(), name, node):
            logger.warning(
                "%s holds a slot without a repair, and something may have been ordered: keeps it "
                "until it is back, or somebody says: nodemend ledger release %s",
                name,
                name,
            )
            return
        if epochs and not await errands.clear(self.client, name):
            logger.warning(
                "%s is held by no repair; waits for what was sent to it to be gone", name
            )
            return
        keeper = maintenance.keeper(node, await self.held(node)) if node is not None else ""
        if epochs and keeper:
            logger.warning("%s is held by no repair; waits for %s to be done with it", name, keeper)
            return
        if epochs:
            logger.warning("%s is held by no repair; gives it back (%s)", name, sorted(epochs))
            try:
                await self.admission.release(name, node, epochs)
            except SupersededError as superseded:
                logger.info("%s: looks again, for %s", name, superseded)

    async def _node(self, name: str) -> Node | None:
        try:
            return await self.client.get(NODES, name)
        except errors.GoneError:
            return None
