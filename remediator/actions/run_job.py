"""Run-job: have a program of the operator's own run on the node, as a Job of a named template."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nodehealth.repair import NodeRepair
from remediator.actions import Action, Done, Failed, Going, Progress, Tools, claim
from remediator.decide.errands import GiveUp, Succeed, Wait
from remediator.decide.jobs import Claimed, Task
from remediator.jobs import Runner

_ACTION = "run-job"
_AGAIN = timedelta(seconds=5)


class Purpose(StrEnum):
    """What a Job is for."""

    REPAIR = "repair"
    """It mends the node; when it passed, the node has to prove itself."""
    DIAGNOSIS = "diagnosis"
    """It mends nothing: however it ends, what it said is written down, and the ladder goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(Action):
    """Runs a Job of the operator's own on the node."""

    template: str
    """The PodTemplate, in the policy's namespace of Jobs."""
    deadline: timedelta = timedelta(minutes=30)
    """How long it may run."""
    purpose: Purpose = Purpose.REPAIR

    @property
    def longest(self) -> timedelta:
        """Return the deadline, and what it takes to begin and to end."""
        return self.task().longest

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Have it made, claimed and run, or hear what came of it."""

        async def claimed(job: str) -> None:
            await claim(repair, _ACTION, tools, pod=job, boot_id=_boot(tools))

        intent = repair.status.intent
        known = Claimed(job=intent.pod, at=intent.issued_at) if intent is not None else None
        runner = Runner(
            client=tools.client,
            clock=tools.clock,
            namespace=tools.jobs,
            node=tools.node,
            guard=tools.guard,
            claim=claimed,
        )
        if tools.node is not None and tools.node.metadata.uid != repair.spec.target.node_uid:
            return Done(message="the node is another machine now")
        step = await runner.advance(self.task(), repair, since, known)
        match step:
            case Wait():
                return Going(message=step.message, again=_AGAIN)
            case Succeed() if self.purpose is Purpose.REPAIR:
                return Done(message=step.message)
            case Succeed():
                return Failed(message=f"{step.message}; it is a diagnosis, and mends nothing")
            case GiveUp():
                return Failed(message=step.message)

    def task(self) -> Task:
        """Return what is run."""
        what = f"the Job of {self.template}"
        return Task(template=self.template, deadline=self.deadline, what=what)


def _boot(tools: Tools) -> str:
    return tools.node.status.node_info.boot_id if tools.node is not None else ""
