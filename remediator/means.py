"""What a repair is carried on with, whichever move it makes."""

from dataclasses import dataclass, field

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from remediator import actions, jobs
from remediator.actions import Action, Find
from remediator.admission import Admission
from remediator.asking import Service, Way
from remediator.decide import admissions, burnins, marks
from remediator.decide.limits import Refused
from remediator.neighbours import Neighbours
from remediator.pacing import Pacing
from remediator.queueing import Queueing
from remediator.resting import Resting
from remediator.saying import Saying
from remediator.scene import Around


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every move works with.

    Fields:
        client: The door to the API server.
        admission: The way to the ledger and to Nodes.
        clock: The present time.
        actions: Finds the remedy of a rung by its name and settings.
        queueing: When who was refused asks again.
        pacing: How fast pods are asked to leave.
        neighbours: The locks of others on nodes.
        saying: How often who stands still says so in other words.
        resting: How long an action wants to be left alone.
        ask: How web services of the operator's own are asked.
    """

    client: Client
    admission: Admission
    clock: Clock
    actions: Find
    queueing: Queueing
    pacing: Pacing
    neighbours: Neighbours
    saying: Saying = field(default_factory=Saying)
    resting: Resting = field(default_factory=Resting)
    ask: Way = Service.ask

    def action(self, repair: NodeRepair, rung: int) -> Action:
        """Return the remedy of a rung of a repair's ladder."""
        return actions.of(repair, rung, self.actions)

    async def node(self, name: str) -> Node | None:
        """Read a Node, if there is one."""
        try:
            return await self.client.get(NODES, name)
        except errors.GoneError:
            return None

    async def shut(
        self, repair: NodeRepair, node: Node | None, ledger: RepairLedger, around: Around
    ) -> Refused | None:
        """Say what forbids the next step of a repair, by a Node and a ledger that were just read.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us.
        """
        scopes, name = around.above(repair, node), repair.spec.target.node
        held = await self.neighbours.held(name, node) if admissions.has_slot(repair, ledger) else ""
        return self.admission.shut(repair, node, ledger, scopes, around.policy, held=held)

    async def keeper(self, node: Node | None) -> str:
        """Say who else holds a node by a lock, if giving the node back would uncordon it."""
        if node is None or not marks.is_opened_by_release(node):
            return ""
        return await self.neighbours.keeper(node)

    async def lingering(self, repair: NodeRepair, ledger: RepairLedger, around: Around) -> str:
        """Name a Pod of a Job that may still run on a node which is about to be let go of.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us.
        """
        if not burnins.may_linger(repair) or not admissions.has_slot(repair, ledger):
            return ""
        where = around.policy.jobs_namespace
        return await jobs.lingering(self.client, repair, namespace=where)

    def forget(self, repair: NodeRepair) -> None:
        """Remember nothing of a repair any more."""
        self.resting.forget(repair)
        self.queueing.forget(repair)
        self.saying.forget(repair)
