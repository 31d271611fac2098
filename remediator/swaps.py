"""One swap of the ledger answers everybody who asked since the last one began."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from nodehealth import keys
from nodehealth.kit.shared import Shared
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BARE_PODS, NODES
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.actions import SupersededError
from remediator.decide.limits import Admitted, Refused, Why
from remediator.decide.survey import Survey
from remediator.ledgers import Ledgers

_TRIES: Final = 8
_FIRST: Final = (-1, 0.0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks of the ledger."""

    judge: Callable[[RepairLedger, Survey | None], Admitted | Refused]
    """Answers by the ledger as those who were answered before have left it, and by a survey."""
    surveyed: bool = False
    """Whether nothing may be given without a survey."""
    repair: NodeRepair | None = None
    """The repair that must not have been carried on by anybody since it was read."""
    rank: tuple[int, float, str] = _FIRST
    """Who is answered first; what is given back comes before what is taken."""


class _LacksSurveyError(Exception):
    """There is room, but on which nodes others are at work has to be read first."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Asked:
    question: Question
    survey: Survey | None = None
    outcome: Admitted | Refused | BaseException | None = None

    def lacks_survey(self) -> bool:
        return self.question.surveyed and self.survey is None

    def answer(self) -> Admitted | Refused:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        if self.outcome is None:
            raise asyncio.InvalidStateError("a swap left somebody without an answer")
        return self.outcome


_Answers: TypeAlias = list[tuple[_Asked, Admitted | Refused]]


class Swaps:
    """Reads the ledger, lets each who waits take its part, and writes it if nobody else did.

    Whoever comes while a swap is under way waits for the next one, and the first of those who wait
    makes it for all. One that is cancelled takes nobody with it. If its admission was written
    already, nobody uses it: it is found in the ledger and used when the repair is looked at again.

    Args:
        client: The door to the API server.
        ledgers: The way to the ledger.
        held: Says by node who holds it by a lock that does not lie on the Node.
    """

    def __init__(
        self,
        *,
        client: Client,
        ledgers: Ledgers,
        held: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    ) -> None:
        self._client, self._ledgers, self._held = client, ledgers, held
        self._turn = asyncio.Lock()
        self._waiting: list[_Asked] = []
        self._surveys = Shared(self._look_around, failures=errors.KubeError)

    async def ask(self, question: Question) -> Admitted | Refused:
        """Have a question answered by the next swap.

        Raises:
            SupersededError: somebody else carried the repair on.
            nodehealth.kube.errors.KubeError: the API server failed us; it may have happened.
        """
        try:
            return await self._asked(_Asked(question=question))
        except _LacksSurveyError:
            survey = await self._surveys.get()  # nobody else's swap waits for this
            return await self._asked(_Asked(question=question, survey=survey))

    async def _asked(self, asked: _Asked) -> Admitted | Refused:
        self._waiting.append(asked)
        try:
            async with self._turn:
                if asked.outcome is None:
                    await self._serve()
            return asked.answer()
        finally:
            self._waiting.remove(asked)
            asked.outcome = asked.outcome or asyncio.CancelledError()

    async def _serve(self) -> None:
        batch = list[_Asked]()
        for _ in range(_TRIES):
            batch = self._unanswered(self._waiting)
            try:
                if await self._swapped(batch):
                    return
            except errors.KubeError as failed:
                self._tell(batch, failed)
                return
        message = "the ledger changed faster than we could swap"
        self._tell(batch, Refused(why=Why.CONTENTION, message=message))

    async def _swapped(self, batch: list[_Asked]) -> bool:
        """Answer those who wait, or say that somebody else changed the ledger meanwhile."""
        ledger = await self._ledgers.read()
        changed, answers = await self._answered(batch, ledger)
        if changed is not ledger:
            try:
                await self._ledgers.swap(changed)
            except errors.ConflictError:
                return False
        for each, answer in answers:
            each.outcome = answer
        return True

    async def _answered(
        self, batch: list[_Asked], ledger: RepairLedger
    ) -> tuple[RepairLedger, _Answers]:
        """Judge those who may go on, and return the ledger as they leave it.

        The repairs are read after the ledger: whoever carries one on changes the ledger on the way,
        and then our swap fails.
        """
        async with asyncio.TaskGroup() as tasks:
            for each in batch:
                tasks.create_task(self._check(each))
        changed, answers = self._ledgers.settled(ledger), _Answers()
        for each in self._unanswered(batch):
            answer = each.question.judge(changed, each.survey)
            if isinstance(answer, Admitted) and answer.ledger is not changed:
                if each.lacks_survey():
                    each.outcome = _LacksSurveyError()
                    continue
                changed = answer.ledger
            answers.append((each, answer))
        return changed, answers

    async def _look_around(self) -> Survey:
        """Read by quorum what a disruption may founder on."""
        nodes = await self._client.listing(NODES)
        replicas = await self._client.listing(
            BARE_PODS,
            namespace=keys.NAMESPACE,
            labels=f"{keys.NAME_LABEL}={keys.REMEDIATOR_MANAGER}",
        )
        repairs = await self._client.listing(NODE_REPAIRS)
        held = await self._held() if self._held is not None else {}
        return Survey.of(nodes.items, replicas.items, repairs.items, held)

    async def _check(self, asked: _Asked) -> None:
        """Take out who may not go on; it hurts nobody else."""
        repair = asked.question.repair
        if repair is None:
            return
        try:
            now = await self._client.get(NODE_REPAIRS, repair.metadata.name)
        except errors.GoneError:
            asked.outcome = SupersededError(f"{repair.metadata.name} is gone")
        except errors.KubeError as failed:
            asked.outcome = failed
        else:
            if now.metadata.resource_version != repair.metadata.resource_version:
                message = f"{repair.metadata.name} was carried on by somebody else"
                asked.outcome = SupersededError(message)

    def _unanswered(self, asked: list[_Asked]) -> list[_Asked]:
        unanswered = (each for each in asked if each.outcome is None)
        return sorted(unanswered, key=lambda each: each.question.rank)

    def _tell(self, batch: list[_Asked], outcome: Refused | errors.KubeError) -> None:
        for each in self._unanswered(batch):
            each.outcome = outcome
