"""An agent is silent when its node is Ready and nothing was written; everything else is unknown."""

from datetime import datetime

import pytest

from nodehealth.signals import Knowledge
from remediator.decide import silence
from remediator.decide.facts import Agent, Facts, Watches
from tests.builders import at, health, node

REFRESH = 20
DEADLINE = 3 * REFRESH
SURE = DEADLINE + 30
"""The deadline, and the time that a watch may be late."""
FIRST = 900
"""How long an agent that never wrote has for its first report."""
POD = Agent(ready=True, since=at(-9000))


def told(seconds: float | None) -> Watches:
    """Return watches that have all told everything until then."""
    when = None if seconds is None else at(seconds)
    return Watches(nodes=when, healths=when, agents=when)


def facts(
    *,
    heard: float | None = 0,
    agent: Agent | None = POD,
    ready: bool = True,
    watches: Watches | None = None,
    uid: str = "",
) -> Facts:
    return Facts(
        node=node(ready=ready),
        health=None if heard is None else health(refresh=REFRESH, node_uid=uid),
        heard_at=None if heard is None else at(heard),
        agent=agent,
        watches=watches or told(10_000),
    )


def silent(known: Facts, seconds: float) -> float | Knowledge:
    """Return 1 or 0 where it is known, and the kind of ignorance where it is not."""
    found = silence.levels(known, at(seconds))
    if not found:
        return Knowledge.UNKNOWN
    value = found[0].value
    return found[0].knowledge if value is None else value


def test_an_agent_that_wrote_lately_is_not_silent() -> None:
    assert silent(facts(), DEADLINE - 1) == 0
    assert silent(facts(ready=False, watches=told(None)), DEADLINE - 1) == 0


def test_an_agent_is_silent_after_three_refreshes_without_a_write() -> None:
    assert silent(facts(watches=told(SURE)), SURE) == 1


def test_silence_is_unknown_until_our_watches_must_have_told_of_a_write() -> None:
    assert silent(facts(watches=told(SURE - 1)), SURE + 600) is Knowledge.UNKNOWN


@pytest.mark.parametrize("blind", ["nodes", "healths", "agents"])
def test_one_watch_that_is_behind_is_enough_to_know_nothing(blind: str) -> None:
    times: dict[str, datetime | None] = dict.fromkeys(("nodes", "healths", "agents"), at(SURE))
    late, unheard = Watches(**{**times, blind: at(DEADLINE)}), Watches(**{**times, blind: None})

    assert silent(facts(watches=late), SURE) is Knowledge.UNKNOWN
    assert silent(facts(watches=unheard), SURE) is Knowledge.UNKNOWN


def test_no_agent_is_blamed_for_a_node_that_is_not_ready() -> None:
    assert silent(facts(ready=False), SURE) is Knowledge.UNKNOWN


def test_an_agent_whose_pod_was_made_anew_has_its_time() -> None:
    young = Agent(ready=False, since=at(50))

    assert silent(facts(agent=young, watches=told(SURE + 49)), SURE + 49) is Knowledge.UNKNOWN
    assert silent(facts(agent=young, watches=told(SURE + 50)), SURE + 50) == 1


def test_an_agent_that_never_wrote_is_silent_after_the_usual_time() -> None:
    begun = Agent(ready=True, since=at(0))
    early, late = (
        facts(heard=None, agent=begun, watches=told(each)) for each in (SURE, FIRST + 30)
    )

    assert silent(early, SURE) is Knowledge.UNKNOWN
    assert silent(late, FIRST + 30) == 1


def test_a_report_about_the_machine_before_is_none() -> None:
    begun = facts(uid="another machine", agent=Agent(ready=True, since=at(0)), watches=told(SURE))

    assert silent(begun, SURE) is Knowledge.UNKNOWN


def test_where_no_agent_is_and_none_ever_wrote_none_is_meant_to_be() -> None:
    assert silent(facts(heard=None, agent=None), 10_000) is Knowledge.NOT_APPLICABLE
    assert silent(facts(heard=None, agent=None, watches=told(0)), 10_000) is Knowledge.UNKNOWN


def test_an_agent_that_was_taken_away_is_missed() -> None:
    assert silent(facts(agent=None), SURE) == 1


@pytest.mark.parametrize(
    ("agent", "pod"),
    [(None, "Absent"), (POD, "Ready"), (Agent(ready=False, since=at(-9000)), "NotReady")],
)
def test_it_is_said_how_the_pod_is_and_since_when_nothing_was_heard(
    agent: Agent | None, pod: str
) -> None:
    (found,) = silence.levels(facts(agent=agent), at(SURE))

    assert found.fields == {"pod": pod}
    assert found.since == at(0)


@pytest.mark.parametrize(
    ("known", "seconds", "due"),
    [
        (facts(), 0, DEADLINE),
        (facts(), DEADLINE, SURE),
        (facts(watches=told(SURE - 1)), SURE, SURE + 30),
        (facts(watches=told(None)), SURE, SURE + 30),
        (facts(), SURE, None),
        (facts(heard=None, agent=None), 0, None),
        (facts(heard=None, agent=None, watches=told(None)), 0, 30),
    ],
    ids=["fresh", "stale", "behind", "blind", "silent", "no agent", "no agent, blind"],
)
def test_it_is_looked_at_again_when_the_answer_may_change(
    known: Facts, seconds: float, due: float | None
) -> None:
    assert silence.due(known, at(seconds)) == (None if due is None else at(due))
