"""Whether a node's agent is silent: the node is Ready, and still nothing was written for too long.

A node that is not Ready has another fault, and no agent can be blamed there. Where no agent's pod
is and none ever reported, none is meant to be. And as long as our own watches may be behind, or the
agent has only begun, nothing is known.
"""

from datetime import datetime, timedelta
from typing import Final

from nodehealth.health import Level
from nodehealth.signals import Knowledge
from remediator.decide import ready
from remediator.decide.facts import BLIND_AFTER, LOOK_AGAIN, Facts

SIGNAL: Final = "agent.silent"
LATE: Final = timedelta(seconds=30)
"""How late a watch may bring its news: silence counts only once it must have told of a write."""


def levels(facts: Facts, now: datetime) -> tuple[Level, ...]:
    """Say whether the agent is silent; nothing when that is not known."""
    if facts.fresh_report(now) is not None:
        return (_level(facts, now, 0.0),)
    deadline, told = _deadline(facts), facts.watches.oldest()
    if told is None or not ready.is_ready(facts.node):
        return ()
    if deadline is None:
        absent = _level(facts, now, None, Knowledge.NOT_APPLICABLE)
        return (absent,) if now - told <= BLIND_AFTER else ()
    return (_level(facts, now, 1.0),) if told >= deadline + LATE else ()


def due(facts: Facts, now: datetime) -> datetime | None:
    """Say when that may change although nobody tells us anything."""
    deadline, told = _deadline(facts), facts.watches.oldest()
    if deadline is None:
        return None if told is not None else now + LOOK_AGAIN
    for moment in (facts.stale_at(), deadline + LATE):
        if moment is not None and moment > now:
            return moment
    return None if told is not None and told >= deadline + LATE else now + LOOK_AGAIN


def _deadline(facts: Facts) -> datetime | None:
    """Say until when the agent must write; nothing where there is none and never was one."""
    pod, report = facts.agent, facts.report()
    heard = (facts.heard_at if report is not None else None, pod.since if pod is not None else None)
    last = max((each for each in heard if each is not None), default=None)
    return None if last is None else last + facts.patience()


def _level(
    facts: Facts, now: datetime, value: float | None, knowledge: Knowledge = Knowledge.KNOWN
) -> Level:
    pod, last = facts.agent, facts.heard_at
    said = "Absent" if pod is None else "Ready" if pod.ready else "NotReady"
    since = last or (pod.since if pod is not None else now)
    fields = {"pod": said}
    return Level(name=SIGNAL, value=value, knowledge=knowledge, fields=fields, since=since)
