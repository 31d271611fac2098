"""A rule holds on known, fresh facts that last; what is unknown is never unhealthy."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from msgspec import structs

from nodehealth.health import Event, Level, NodeHealth, ProbeReport, ProbeState
from nodehealth.kube.objects import Condition, Node, NodeInfo, NodeStatus
from nodehealth.signals import Knowledge
from remediator.decide.answers import Truth
from remediator.decide.facts import Agent, Facts, Watches
from remediator.decide.judge import Judgement, again, judge, known_at, stands
from remediator.rules.rule import Combine, Rule
from tests.builders import NOON, at, health, level, node, question, rule, xid

FULL, ROOMY = level(0.01), level(0.5)


def facts(seen: NodeHealth | None, heard: datetime | None = NOON) -> Facts:
    return Facts(node=node(labels={"pool": "h100"}), health=seen, heard_at=heard)


def truth(asked: Rule, seen: NodeHealth | None, now: datetime = NOON) -> Truth:
    return judge([asked], facts(seen), Judgement(), now).marks[asked.name].truth


def test_a_level_that_fits_the_question_holds() -> None:
    assert truth(rule(), health(FULL)) is Truth.HOLDS


def test_a_level_that_does_not_fit_is_well() -> None:
    assert truth(rule(), health(ROOMY)) is Truth.FALSE


@pytest.mark.parametrize(
    "seen",
    [
        None,
        health(),
        health(level(0.01, knowledge=Knowledge.UNKNOWN)),
        health(level(None)),
        health(FULL, node_uid="another machine"),
    ],
    ids=["no object", "no level", "unknown", "no value", "another machine"],
)
def test_what_is_not_known_is_unknown(seen: NodeHealth | None) -> None:
    assert truth(rule(), seen) is Truth.UNKNOWN


def test_an_agent_is_not_believed_what_is_not_its_to_state() -> None:
    stated = structs.replace(level(0, name="node.ready", subject=""), fields={"status": "False"})
    asked = rule(question("value < 1.0", signal="node.ready"))

    assert truth(asked, health(stated)) is Truth.UNKNOWN


def test_a_level_that_does_not_apply_is_well() -> None:
    seen = health(level(None, knowledge=Knowledge.NOT_APPLICABLE))

    assert truth(rule(), seen) is Truth.FALSE


def test_one_known_bad_subject_holds_beside_an_unknown_one() -> None:
    seen = health(FULL, level(None, subject="/data", knowledge=Knowledge.UNKNOWN))

    assert truth(rule(), seen) is Truth.HOLDS


def test_stale_evidence_is_unknown() -> None:
    assert truth(rule(), health(FULL, refresh=20), now=at(60)) is Truth.UNKNOWN
    assert truth(rule(), health(FULL, refresh=20), now=at(59)) is Truth.HOLDS


def test_an_expression_without_a_value_is_unknown() -> None:
    asked = rule(question('node.labels["rack"] == "r1"'))

    assert truth(asked, health(FULL)) is Truth.UNKNOWN


def test_a_level_must_last_without_a_break() -> None:
    asked = rule(question(lasts=30))
    first = judge([asked], facts(health(FULL)), Judgement(), NOON)
    broken = judge([asked], facts(health(ROOMY)), first, at(20))
    again = judge([asked], facts(health(FULL)), broken, at(25))

    held = judge([asked], facts(health(FULL)), again, at(55))

    assert first.marks["disk-full"].truth is Truth.SUSPECTED
    assert first.due == at(30)
    assert judge([asked], facts(health(FULL)), again, at(54)).faults() == ()
    assert held.faults() == ("disk-full",)


DARK = level(0.01, knowledge=Knowledge.UNKNOWN)


def watched(*seen: tuple[float, NodeHealth]) -> Judgement:
    """Look again and again, each time at something that was heard just then."""
    found = Judgement()
    for seconds, said in seen:
        now = at(seconds)
        found = judge([rule(question(lasts=30))], facts(said, now), found, now)
    return found


def test_what_is_unknown_for_a_moment_has_not_ended_and_does_not_count() -> None:
    seen = (0, health(FULL)), (20, health(DARK)), (25, health(FULL))

    dark = watched(*seen[:2])
    early = watched(*seen, (34, health(FULL)))
    held = watched(*seen, (35, health(FULL)))

    assert dark.marks["disk-full"].truth is Truth.UNKNOWN
    assert (early.faults(), early.due) == ((), at(35))
    assert held.faults() == ("disk-full",)


def test_a_rule_is_not_confirmed_while_its_answer_is_unknown() -> None:
    found = watched((0, health(FULL)), (29, health(DARK)), (40, health(DARK)))

    assert found.marks["disk-full"].truth is Truth.UNKNOWN
    assert found.faults() == ()


def test_what_is_known_to_be_well_in_between_has_ended() -> None:
    found = watched((0, health(FULL)), (20, health(DARK)), (22, health(ROOMY)), (25, health(FULL)))

    assert found.due == at(55)


@pytest.mark.parametrize(("dark", "due"), [(59, 89), (60, 115), (75, 130)])
def test_what_is_unknown_for_too_long_starts_anew(dark: float, due: float) -> None:
    full, unknown = health(FULL, refresh=20), health(DARK, refresh=20)

    found = watched((0, full), (25, unknown), (30, unknown), (25 + dark, full))

    assert found.due == at(due)


def test_time_in_which_the_agent_was_silent_does_not_count() -> None:
    asked = rule(question(lasts=300))
    said = health(FULL, refresh=20)
    first = judge([asked], facts(said, NOON), Judgement(), NOON)
    silent = judge([asked], facts(said, NOON), first, at(60))

    back = judge([asked], facts(said, at(200)), silent, at(200))

    assert silent.marks["disk-full"].truth is Truth.UNKNOWN
    assert not judge([asked], facts(said, at(499)), back, at(499)).faults()
    assert judge([asked], facts(said, at(500)), back, at(500)).faults() == ("disk-full",)


def test_an_unknown_subject_neither_confirms_another_nor_loses_its_time() -> None:
    asked = rule(question(lasts=30))
    full_data = level(0.01, subject="/data")
    first = judge([asked], facts(health(FULL)), Judgement(), NOON)

    other = judge([asked], facts(health(DARK, full_data), at(29)), first, at(29))
    later = judge([asked], facts(health(DARK, full_data), at(40)), other, at(40))
    both = judge([asked], facts(health(FULL, full_data), at(41)), later, at(41))

    assert later.marks["disk-full"].truth is Truth.SUSPECTED
    assert both.due == at(42)


def test_a_subject_that_is_gone_from_a_whole_report_has_ended() -> None:
    one, other = health(FULL), health(level(0.5, subject="/data"))

    found = watched((0, one), (20, other), (25, one))

    assert found.due == at(55)


def test_each_subject_has_to_last_by_itself() -> None:
    asked = rule(question(lasts=30))
    one, other = health(level(0.01)), health(level(0.5), level(0.01, subject="/data"))
    first = judge([asked], facts(one), Judgement(), NOON)
    changed = judge([asked], facts(other), first, at(20))

    assert judge([asked], facts(other), changed, at(49)).faults() == ()
    assert judge([asked], facts(other), changed, at(50)).faults() == ("disk-full",)
    assert changed.due == at(50)


def test_a_subject_that_joins_later_shortens_nothing_and_breaks_nothing() -> None:
    asked = rule(question(lasts=30))
    one, both = health(level(0.01)), health(level(0.01), level(0.01, subject="/data"))
    first = judge([asked], facts(one), Judgement(), NOON)
    joined = judge([asked], facts(both), first, at(20))

    assert judge([asked], facts(both), joined, at(29)).faults() == ()
    assert judge([asked], facts(both), joined, at(30)).faults() == ("disk-full",)


def test_an_unknown_subject_that_is_not_asked_for_is_nobodys_concern() -> None:
    asked = rule(question('subject == "/scratch" && value < 0.05'))
    seen = health(level(0.5, subject="/scratch"), level(None, knowledge=Knowledge.UNKNOWN))

    assert truth(asked, seen) is Truth.FALSE


def test_the_fields_of_an_unknown_level_are_not_believed() -> None:
    asked = rule(question('device == "/dev/sdb"'))

    assert truth(asked, health(level(None, knowledge=Knowledge.UNKNOWN))) is Truth.UNKNOWN


def test_a_node_without_an_agent_is_judged_by_what_its_node_says() -> None:
    asked = rule(question('status == "Unknown"', signal="node.ready", lasts=300))
    known = Facts(node=node(ready=False), watches=Watches(nodes=at(250)))
    first = judge([asked], known, Judgement(), NOON)
    held = judge([asked], known, first, at(300))

    assert first.due == at(300)
    assert held.faults() == ("disk-full",)
    assert held.marks["disk-full"].evidence == ("node.ready is 0 (status Unknown)",)
    assert known_at(asked, known) == at(250)


def test_what_our_watch_did_not_see_has_not_lasted() -> None:
    asked = rule(question('status == "Unknown"', signal="node.ready", lasts=300))
    known = Facts(node=node(ready=False), watches=Watches(nodes=NOON))
    first = judge([asked], known, Judgement(), NOON)

    blind = judge([asked], known, first, at(300))
    again = replace(known, watches=Watches(nodes=at(301)))

    assert blind.marks["disk-full"].truth is Truth.UNKNOWN
    assert blind.due == at(330)
    assert judge([asked], again, blind, at(301)).marks["disk-full"].truth is Truth.SUSPECTED


def test_a_rule_is_as_old_as_the_oldest_of_its_answers() -> None:
    asked = rule(question(), question('status == "True"', signal="node.ready"))
    seen = replace(facts(health(ROOMY), at(-40)), watches=Watches(nodes=at(-9)))
    unseen = facts(health(ROOMY))

    assert known_at(asked, seen) == at(-40)
    assert known_at(asked, unseen) is None


def test_since_when_an_agent_was_silent_is_in_the_evidence() -> None:
    asked = rule(question("value > 0", signal="agent.silent"))
    told = Watches(nodes=at(990), healths=at(990), agents=at(990))
    seen = replace(facts(health(), NOON), watches=told)

    found = judge([asked], seen, Judgement(), at(990)).marks["disk-full"]

    assert found.evidence == ("agent.silent is 1 (pod Absent) since 12:00:00",)


def test_a_fault_is_over_after_a_quiet_time() -> None:
    asked = rule(quiet=60)
    held = judge([asked], facts(health(FULL)), Judgement(), NOON)
    quiet = judge([asked], facts(health(ROOMY)), held, at(10))
    over = judge([asked], facts(health(ROOMY)), quiet, at(70))

    assert quiet.faults() == ("disk-full",)
    assert quiet.due == at(70)
    assert over.faults() == ()
    assert over.marks["disk-full"].is_over(asked, at(70))
    assert over.marks["disk-full"].well_since() == at(10)


def test_a_fault_that_only_a_boot_mends_stays_until_there_was_one() -> None:
    asked = replace(rule(quiet=60), after_reboot=True)
    info = structs.replace(node().status, node_info=NodeInfo(boot_id="boot-2"))
    booted = replace(facts(health(ROOMY)), node=structs.replace(node(), status=info))
    held = judge([asked], facts(health(FULL)), Judgement(), NOON)
    quiet = judge([asked], facts(health(ROOMY)), held, at(10))

    same = judge([asked], facts(health(ROOMY)), quiet, at(600))
    anew = judge([asked], booted, quiet, at(600))

    assert same.faults() == ("disk-full",)
    assert anew.faults() == ()
    assert anew.marks["disk-full"].is_over(asked, at(600), began_in="boot-1")
    assert not anew.marks["disk-full"].is_over(asked, at(600), began_in="boot-2")


def test_a_fault_is_not_over_while_nothing_is_known() -> None:
    asked = rule(quiet=60)
    held = judge([asked], facts(health(FULL)), Judgement(), NOON)
    silent = judge([asked], facts(None), held, at(600))

    assert silent.faults() == ("disk-full",)
    assert silent.marks["disk-full"].well_since() is None
    assert silent.due is None


def test_the_longest_standing_fault_comes_first() -> None:
    early, late = rule(name="early"), rule(question(lasts=30), name="another")
    first = judge([early, late], facts(health(FULL)), Judgement(), NOON)

    assert judge([early, late], facts(health(FULL)), first, at(30)).faults() == (
        "early",
        "another",
    )


def test_all_questions_must_hold_where_the_rule_says_so() -> None:
    both = rule(question(), question('subject == "/"'), combine=Combine.ALL)
    one = rule(question(), question('subject == "/data"'), combine=Combine.ALL)

    assert truth(both, health(FULL)) is Truth.HOLDS
    assert truth(one, health(FULL)) is Truth.FALSE


def test_an_event_of_this_boot_holds_and_one_of_another_boot_does_not() -> None:
    asked = rule(question("code == 79", signal="gpu.xid"))

    assert truth(asked, health(xid(79))) is Truth.HOLDS
    assert truth(asked, health(xid(13))) is Truth.FALSE
    assert truth(asked, health(xid(79, boot="boot-0"))) is Truth.FALSE


def test_an_event_of_another_name_is_another_event() -> None:
    killed = structs.replace(xid(79), name="memory.oom_kills", fields={})

    assert truth(rule(question(signal="gpu.xid", where="true")), health(killed)) is Truth.FALSE


def test_events_are_counted_within_the_time_that_the_rule_asks() -> None:
    asked = rule(question("code == 31", signal="gpu.xid", within=600, count=3))

    assert truth(asked, health(xid(31, count=3)), now=at(600)) is Truth.HOLDS
    assert truth(asked, health(xid(31, count=3)), now=at(601)) is Truth.FALSE
    assert truth(asked, health(xid(31, count=2))) is Truth.FALSE


def test_events_are_counted_for_each_subject_by_itself() -> None:
    asked = rule(question("code in [31, 43]", signal="gpu.xid", count=3))
    other = structs.replace(xid(31, count=2), subject="GPU-2")

    assert truth(asked, health(xid(31, count=2), other)) is Truth.FALSE
    assert truth(asked, health(xid(31, count=2), xid(43), other)) is Truth.HOLDS


def test_a_report_that_is_not_whole_is_no_good_sign() -> None:
    left_out = ProbeReport(name="report", state=ProbeState.FAILED, since=NOON)
    partial = structs.replace(health(ROOMY).status, probes=(left_out,))
    bad = structs.replace(health(FULL).status, probes=(left_out,))

    assert truth(rule(), structs.replace(health(), status=partial)) is Truth.UNKNOWN
    assert truth(rule(), structs.replace(health(), status=bad)) is Truth.HOLDS


def partial(probe: str, *signals: Level | Event) -> NodeHealth:
    left_out = ProbeReport(name=probe, state=ProbeState.FAILED, since=NOON)
    status = structs.replace(health(*signals).status, probes=(left_out,))
    return structs.replace(health(), status=status)


@pytest.mark.parametrize("probe", ["report", "events"])
def test_an_event_that_may_have_been_left_out_is_unknown(probe: str) -> None:
    asked = rule(question("code == 79", signal="gpu.xid"))

    assert truth(asked, partial(probe, xid(13))) is Truth.UNKNOWN
    assert truth(asked, partial(probe, xid(79))) is Truth.HOLDS


def test_too_few_of_an_event_are_unknown_when_some_may_have_been_left_out() -> None:
    asked = rule(question("code == 31", signal="gpu.xid", count=3))

    assert truth(asked, partial("report", xid(31))) is Truth.UNKNOWN


def test_events_that_were_left_out_cast_no_doubt_on_levels() -> None:
    assert truth(rule(), partial("events", ROOMY)) is Truth.FALSE


def test_what_is_well_in_a_report_that_is_not_whole_has_ended() -> None:
    found = watched((0, health(FULL)), (20, partial("report", ROOMY)), (25, health(FULL)))

    assert found.due == at(55)


@pytest.mark.parametrize("ahead", [-900, 0, 86_400])
def test_events_are_counted_by_the_nodes_own_clock_however_wrong_it_is(ahead: float) -> None:
    asked = rule(question("code == 31", signal="gpu.xid", within=600, count=3))
    status = structs.replace(health(xid(31, count=3, last=at(ahead))).status, reported_at=at(ahead))
    seen = structs.replace(health(), status=status)

    assert truth(asked, seen, now=at(599)) is Truth.HOLDS
    assert truth(asked, seen, now=at(601)) is Truth.FALSE


def test_the_evidence_is_a_sentence() -> None:
    found = judge([rule()], facts(health(FULL)), Judgement(), NOON).marks["disk-full"]
    event = judge(
        [rule(question("code == 79", signal="gpu.xid"))],
        facts(health(xid(79, count=2))),
        Judgement(),
        NOON,
    ).marks["disk-full"]

    assert found.evidence == ("disk.free_ratio of / is 0.01 since 12:00:00",)
    assert event.evidence == ("gpu.xid (code 79, pci 0000:01:00) was seen 2 times on GPU-1",)
    assert (found.parts, event.parts) == (("/",), ("GPU-1",))


def test_a_signal_of_the_node_itself_names_no_subject() -> None:
    seen = health(level(0.01, subject=""))

    found = judge([rule()], facts(seen), Judgement(), NOON).marks["disk-full"]

    assert found.evidence == ("disk.free_ratio is 0.01 since 12:00:00",)
    assert found.parts == ()


def test_a_rule_that_got_another_number_of_questions_starts_anew() -> None:
    before = judge([rule()], facts(health(FULL)), Judgement(), NOON)
    changed = rule(question(lasts=30), question('subject == "/data"'))

    after = judge([changed], facts(health(FULL)), before, at(40))

    assert after.marks["disk-full"].truth is Truth.SUSPECTED


def test_what_was_counted_is_counted_again_before_long() -> None:
    asked = rule(question("code == 31", signal="gpu.xid", within=600, count=3))

    assert judge([asked], facts(health(xid(31, count=3))), Judgement(), NOON).due == at(30)


def seen_well() -> Facts:
    return replace(facts(health(ROOMY)), watches=Watches(nodes=NOON))


def test_a_judgement_stands_while_only_time_goes_by() -> None:
    known = seen_well()
    judgement = judge([rule(quiet=60)], known, Judgement(), NOON)
    later = replace(known, watches=Watches(nodes=at(59)))

    assert stands(judgement, known, later, at(59))
    assert not stands(judgement, known, later, at(60))
    assert stands(Judgement(), known, later, at(60))


@pytest.mark.parametrize(
    "news",
    [
        {"node": node()},
        {"health": health(FULL)},
        {"heard_at": at(5)},
        {"agent": Agent(ready=True, since=NOON)},
        {"watches": Watches()},
    ],
    ids=["node", "report", "refresh", "pod", "blindness"],
)
def test_a_judgement_falls_with_anything_new(news: dict[str, Any]) -> None:
    known = seen_well()

    assert not stands(Judgement(), known, replace(known, **news), at(10))


def test_a_mark_that_newer_facts_contradict_holds_no_more() -> None:
    asked = rule(question("value < 1.0", signal="node.ready"))
    down = Facts(node=node(ready=False), watches=Watches(nodes=NOON))
    back = replace(down, node=node())
    mark = judge([asked], down, Judgement(), NOON).marks[asked.name]

    assert again(asked, down, mark, NOON).truth is Truth.HOLDS
    assert again(asked, back, mark, NOON).truth is Truth.FALSE


def conditioned(kind: str) -> Node:
    status = NodeStatus(conditions=(Condition(type=kind, status="True"),))
    return structs.replace(node(), status=status)


def test_what_newer_facts_say_for_the_first_time_has_to_last_too() -> None:
    lasting = question("value == 1.0", signal="node.condition", lasts=300)
    asked = rule(lasting)
    one, other = (conditioned(each) for each in ("KernelDeadlock", "ReadonlyFilesystem"))
    facts = Facts(node=one, watches=Watches(nodes=NOON))
    before = judge([asked], facts, Judgement(), NOON)
    later = replace(facts, watches=Watches(nodes=at(600)))
    mark = judge([asked], later, before, at(600)).marks[asked.name]

    assert mark.truth is Truth.HOLDS
    assert again(asked, replace(later, node=other), mark, at(600)).truth is Truth.SUSPECTED
