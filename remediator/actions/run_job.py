"""Run-job: have a program of the operator's own run on the node, as a Job of a named template."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nodehealth.repair import NodeRepair
from remediator.actions import (
    Action,
    Done,
    Failed,
    Progress,
    SupersededError,
    Tools,
    claiming,
    forget,
    progress,
)
from remediator.decide.envoys import Succeed
from remediator.decide.jobs import RUN_JOB, Claimed, Task
from remediator.jobs import Runner

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
        if tools.node is not None and tools.node.metadata.uid != repair.spec.target.node_uid:
            return Done(message="the node is another machine now")
        intent = repair.status.intent
        known = Claimed(job=intent.pod, at=intent.issued_at) if intent is not None else None
        runner = Runner(
            client=tools.client,
            clock=tools.clock,
            namespace=tools.jobs,
            repair=repair,
            node=tools.node,
            claim=claiming(repair, RUN_JOB, tools.unsent()),
            start=claiming(repair, RUN_JOB, tools.unsent()),
            task=self.task(),
        )
        try:
            outcome = await runner.advance(since, known)
        except SupersededError:
            if await runner.call_off():  # whoever would let it run has to claim it anew first
                await forget(repair, tools)
            raise
        if isinstance(outcome, Succeed) and self.purpose is Purpose.DIAGNOSIS:
            return Failed(message=f"{outcome.message}; it is a diagnosis, and mends nothing")
        return progress(outcome, again=_AGAIN)

    def task(self) -> Task:
        """Return what is run."""
        what = f"the Job of {self.template}"
        return Task(template=self.template, deadline=self.deadline, what=what)
