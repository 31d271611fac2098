"""The only way to touch a Node: first the ledger is swapped, then the Node is patched at its fence.

Every method may be called again after a crash or a lost answer: an admission that is in the ledger
already is found there and used, and a patch that has happened already changes nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from nodehealth.fence import Fence, Hold
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS, Node, Pod
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair, Severity
from remediator.decide import (
    breakers,
    claims,
    gates,
    limits,
    maintenance,
    marks,
    novelties,
    ready,
    returning,
    room,
    waiting,
)
from remediator.decide.admissions import Held
from remediator.decide.breakers import Seen
from remediator.decide.counting import Scope
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Admitted, Refused
from remediator.decide.rates import Kind
from remediator.decide.survey import Survey
from remediator.ledgers import Ledgers
from remediator.marking import Marking
from remediator.rules.policy import Policy
from remediator.swaps import Question, Swaps

GRANTED: Final = "Granted"
_Admit: TypeAlias = Callable[
    [RepairLedger, NodeRepair, tuple[Scope, ...], Policy, datetime], Admitted | Refused
]


Look: TypeAlias = Callable[[Deed, datetime], Seen]
"""Says what is amiss, as far as it matters for what is asked for, by the API server's time."""


def _nothing(*_: object) -> Seen:
    """Know nothing of the fleet."""
    return Seen()


class Admission:
    """Gives permissions to cordon and to disrupt, and takes them back.

    Args:
        client: The door to the API server.
        clock: The present time.
        held: Says by node who holds it by a lock that does not lie on the Node.
        seen: Says what is amiss with the fleet at this moment.

    Attributes:
        tally: How often what was asked for was granted, or refused and why, in this process.
    """

    def __init__(
        self,
        *,
        client: Client,
        clock: Clock,
        held: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
        seen: Look = _nothing,
    ) -> None:
        self._client, self._seen = client, seen
        self.tally = Counter[tuple[Kind, str]]()
        self._ledgers = Ledgers(client=client, clock=clock)
        self._marking = Marking(client=client, ledger=self._ledgers.read)
        self._swaps = Swaps(client=client, ledgers=self._ledgers, held=held)

    async def ledger(self) -> RepairLedger:
        """Read the ledger by quorum; one that was lost is made anew, and closed."""
        return await self._ledgers.read()

    async def ensure(self) -> None:
        """Make the ledger if it is missing, never with an epoch below one that is in use."""
        await self._ledgers.ensure()

    async def cordon(
        self, repair: NodeRepair, node: Node, scopes: Iterable[Scope], policy: Policy
    ) -> int | Refused:
        """Cordon a node if its scopes allow it, and return the epoch.

        The scopes are of the cache, which may be old: whether this node is out, the Node says.
        """
        name, out = node.metadata.name, ready.is_out(node)
        seen = tuple(each.seeing(name, out=out) for each in scopes)

        def judge(ledger: RepairLedger, _: Survey | None) -> Admitted | Refused:
            epoch = ledger.status.cordons.get(name, 0)
            if epoch and marks.fence_of(node) != Fence(epoch=epoch, hold=Hold.RELEASED):
                return Admitted(ledger=ledger, epoch=epoch)
            now = self._ledgers.now()
            asked = Asked(
                deed=Deed.CORDON,
                repair=repair,
                node=node,
                ledger=novelties.of_rules(ledger, repair.spec.rules_digest, now),
                scopes=seen,
                policy=policy,
                now=now,
                seen=self._seen(Deed.CORDON, now),
            )
            return room.fitting(ledger, _judged(asked, limits.cordon))

        question = Question(judge=judge, repair=repair, rank=waiting.rank(repair))
        return await self._admit(question, repair, node, Hold.CORDONED)

    async def disrupt(
        self,
        repair: NodeRepair,
        node: Node,
        scopes: Iterable[Scope],
        policy: Policy,
        holding: frozenset[Severity] = frozenset(),
    ) -> int | Refused:
        """Take a disruption slot for a node that this repair cordoned, and return the epoch.

        Others may be at work on nodes of the same scopes: that is read by quorum before. Whose pods
        run on the node is read from the server's cache: a drain claims what that did not show.
        """
        known, pods = tuple(scopes), await self._pods_on(node, policy)
        gangs = claims.of(pods, node, policy, self.now())

        def judge(ledger: RepairLedger, survey: Survey | None) -> Admitted | Refused:
            slot = ledger.status.slots.get(node.metadata.name)
            if slot is not None and slot.repair == repair.metadata.name:
                return Admitted(ledger=ledger, epoch=slot.epoch)
            theirs = known
            if survey is not None:
                theirs = maintenance.counted(known, survey.busy, policy, survey.held)
            asked = Asked(
                deed=Deed.DISRUPT,
                repair=repair,
                node=node,
                ledger=ledger,
                scopes=theirs,
                policy=policy,
                now=self.now(),
                holding=holding,
                survey=survey,
                seen=self._seen(Deed.DISRUPT, self.now()),
            )
            answer = _judged(asked, limits.disrupt)
            answer = claims.admitted(answer, node.metadata.name, gangs, policy)
            return room.fitting(ledger, answer)

        rank = waiting.rank(repair)
        question = Question(judge=judge, repair=repair, rank=rank, surveyed=True)
        return await self._admit(question, repair, node, Hold.DISRUPTED)

    async def claim(
        self, repair: NodeRepair, node: Node | None, pods: Sequence[Pod], policy: Policy
    ) -> Refused | None:
        """Have the slot of a repair name the gangs of pods that are about to be taken.

        Raises:
            SupersededError: somebody else carried the repair on.
            nodehealth.kube.errors.KubeError: the API server failed us; it may have happened.
        """
        name, gangs = repair.spec.target.node, claims.of(pods, node, policy, self.now())
        if not gangs:
            return None

        def judge(ledger: RepairLedger, _: Survey | None) -> Admitted | Refused:
            answer = claims.extended(ledger, name, repair.metadata.name, gangs, policy)
            return room.fitting(ledger, answer)

        answer = await self._swaps.ask(Question(judge=judge, repair=repair))
        return answer if isinstance(answer, Refused) else None

    def shut(
        self,
        repair: NodeRepair,
        node: Node | None,
        ledger: RepairLedger,
        scopes: tuple[Scope, ...],
        policy: Policy,
        *,
        deed: Deed = Deed.STEP,
        holding: frozenset[Severity] = frozenset(),
        held: str = "",
    ) -> Refused | None:
        """Say what forbids a deed, or the next step of a repair, by a ledger that was just read."""
        asked = Asked(
            deed=deed,
            repair=repair,
            node=node,
            ledger=ledger,
            scopes=scopes,
            policy=policy,
            now=self.now(),
            holding=holding,
            held=held,
            seen=self._seen(Deed.STEP, self.now()),
        )
        return gates.refusal(asked)

    def now(self) -> datetime:
        """Return the time by the API server's clock, by which the ledger goes."""
        return self._ledgers.now()

    async def settle(self, change: Callable[[RepairLedger], RepairLedger]) -> None:
        """Have the ledger say something else besides what is admitted, if it does not already.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us.
        """
        await self._change(change)

    async def hold(self, repair: NodeRepair, node: Node, fence: Fence) -> None:
        """Put our marks on a Node under an admission that is still in the ledger.

        Raises:
            SupersededError: the admission is over, or the Node is another one.
        """
        await self._marking.hold(repair, node, fence, await self.ledger())

    async def release(
        self, name: str, node: Node | None, epochs: frozenset[int], *, drained: bool = False
    ) -> None:
        """Give a node back: first the Node says so, then the ledger forgets it.

        A Node that was never marked says so too: a replica that was admitted and stood still before
        its patch would mark it later, and nobody would hold it then.

        Args:
            name: Which node.
            node: Its Node as it was read.
            epochs: The admissions that are over.
            drained: Whether pods were asked to leave until now.
        """
        if node is not None and epochs:
            await self._marking.release(node, epochs)

        def released(ledger: RepairLedger) -> RepairLedger:
            changed = returning.release(ledger, name, epochs, drained=drained)
            return breakers.given_back(changed, name)

        await self._change(released)

    async def surrender(self, repair: NodeRepair, node: Node | None, held: Held) -> None:
        """Trade the slot for a cordon entry of the same epoch: the node stays out, others go on."""
        epoch, name = held.disruption, repair.spec.target.node
        if not epoch:
            return
        if node is not None and marks.is_ours(node, held.epochs()):
            await self.hold(repair, node, Fence(epoch=epoch, hold=Hold.CORDONED))
        now = self.now()
        await self._change(
            lambda ledger: breakers.failed(returning.surrender(ledger, name, epoch), name, now)
        )

    async def _pods_on(self, node: Node, policy: Policy) -> tuple[Pod, ...]:
        if policy.per_gang is None:
            return ()
        where = f"spec.nodeName={node.metadata.name}"
        return (await self._client.listing(PODS, fields=where, cached=True)).items

    async def _admit(
        self, question: Question, repair: NodeRepair, node: Node, hold: Hold
    ) -> int | Refused:
        """Ask the ledger, and then mark the Node, which was read before the ledger was."""
        answer = await self._swaps.ask(question)
        kind = Kind.DISRUPTIONS if hold is Hold.DISRUPTED else Kind.CORDONS
        self.tally[kind, answer.why if isinstance(answer, Refused) else GRANTED] += 1
        if isinstance(answer, Refused):
            return answer
        fence = Fence(epoch=answer.epoch, hold=hold)
        await self._marking.hold(repair, node, fence, answer.ledger)
        return answer.epoch

    async def _change(self, change: Callable[[RepairLedger], RepairLedger]) -> None:
        def judge(ledger: RepairLedger, _: Survey | None) -> Admitted:
            changed = change(ledger)
            return Admitted(ledger=ledger if changed.status == ledger.status else changed, epoch=0)

        answer = await self._swaps.ask(Question(judge=judge))
        if isinstance(answer, Refused):
            raise errors.ConflictError(answer.message)


def _judged(asked: Asked, admit: _Admit) -> Admitted | Refused:
    """Ask the gates, then the limits; who is let through is tried by whatever is half open."""
    refused = gates.refusal(asked)
    answer = refused or admit(asked.ledger, asked.repair, asked.scopes, asked.policy, asked.now)
    if isinstance(answer, Refused):
        return answer
    return replace(answer, ledger=breakers.claimed(answer.ledger, asked.subject()))
