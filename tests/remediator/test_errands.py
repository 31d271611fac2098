"""Whoever is faster, and whenever: a program is started once, by whom it is granted, or never."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from msgspec import structs

from nodehealth.kube import errors
from nodehealth.repair import Intent
from remediator import bodies, errands
from remediator.actions import Going, SupersededError
from remediator.actions.reboot import Reboot
from remediator.decide.repairpods import REPAIR_PODS
from simulator import virtualtime
from tests.builders import NOON, repair
from tests.remediator.sending import Sending, sending

UNSTARTED: Final = 180
"""After how many seconds a Pod that nobody started is taken back."""
LATE: Final = 1200
RACES: Final[dict[str, Callable[[Sending], Awaitable[None]]]] = {
    "started": Sending.bind,
    "deleted": Sending.delete,
    "made anew": Sending.make_anew,
}


async def unsent() -> Sending:
    """Have a Pod claimed by somebody who died before it was started."""
    here = await sending("drain", "reboot")
    await here.run(Reboot())
    uid = (await here.pod()).metadata.uid
    intent = Intent(action="reboot", key="k", issued_at=NOON, pod=uid, boot_id="boot-1")
    await here.record.note(structs.replace(here.record.repair.status, intent=intent))
    return here


async def sent() -> Sending:
    """Have a Pod that is claimed and started."""
    here = await sending("drain", "reboot")
    await here.runs(Reboot(), times=2)
    return here


@virtualtime.played
async def test_what_was_claimed_is_not_started_by_whom_nobody_grants_it_any_more() -> None:
    here = await unsent()
    here.superseded = True

    with pytest.raises(SupersededError):
        await here.run(Reboot())

    assert await here.pods() == ()
    assert here.record.repair.status.intent is None


@virtualtime.played
async def test_what_was_started_before_the_guard_looked_is_not_taken_back() -> None:
    here = await unsent()
    here.superseded, here.before_guard = True, here.bind

    with pytest.raises(SupersededError):
        await here.run(Reboot())

    assert (await here.pod()).metadata.deletion_timestamp is None
    assert here.record.repair.status.intent is not None


@virtualtime.played
async def test_what_somebody_starts_at_the_last_moment_is_not_taken_for_never_started() -> None:
    here = await unsent()
    intent, here.meanwhile["PATCH"] = here.record.repair.status.intent, here.bind

    with pytest.raises(errors.TestFailedError):
        await here.run(Reboot(), after=UNSTARTED)

    assert (await here.pod()).metadata.deletion_timestamp is None
    assert here.record.repair.status.intent == intent


@virtualtime.played
async def test_what_somebody_else_deleted_may_have_run_and_is_not_sent_again() -> None:
    here = await unsent()
    here.meanwhile["PATCH"] = here.delete

    await here.run(Reboot(), after=UNSTARTED)
    waits = await here.run(Reboot(), after=UNSTARTED + 3)

    assert isinstance(waits, Going)
    assert "its Pod is gone" in waits.message
    assert await here.pods() == ()
    assert here.record.repair.status.intent is not None


async def die() -> None:
    """End who sends, and the request with it."""
    raise errors.OutcomeUnknownError("the process died")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@virtualtime.played
async def test_what_is_taken_back_by_two_of_whom_the_first_dies_is_sent_anew(method: str) -> None:
    here = await unsent()
    first, here.held_back = (await here.pod()).metadata.uid, True

    async def dies() -> None:
        here.meanwhile[method] = die

    here.before_guard = dies
    with pytest.raises(errors.OutcomeUnknownError):
        await here.run(Reboot())
    here.held_back, here.before_guard = False, None
    waits = await here.runs(Reboot(), times=3)

    assert isinstance(waits, Going)
    pod, intent = await here.pod(), here.record.repair.status.intent
    assert intent is not None
    assert (pod.metadata.uid, pod.spec.node_name, intent.attempt) == (intent.pod, "n1", 1)
    assert pod.metadata.uid != first


@virtualtime.played
async def test_what_is_taken_back_by_who_never_hears_of_it_is_sent_anew() -> None:
    here = await unsent()
    here.held_back = True

    async def unheard() -> None:
        await here.delete()
        await die()

    async def deletes() -> None:
        here.meanwhile["DELETE"] = unheard

    here.before_guard = deletes
    with pytest.raises(errors.OutcomeUnknownError):
        await here.run(Reboot())
    here.held_back, here.before_guard = False, None
    await here.runs(Reboot(), times=2)

    pod, intent = await here.pod(), here.record.repair.status.intent
    assert intent is not None
    assert (pod.metadata.uid, pod.spec.node_name) == (intent.pod, "n1")


@virtualtime.played
async def test_a_request_that_starts_what_was_called_off_since_comes_to_nothing() -> None:
    here = await unsent()
    seen = (await here.pod()).metadata
    here.held_back, here.before_guard = True, None

    async def calls_off() -> None:
        here.meanwhile["DELETE"] = die

    here.before_guard = calls_off
    with pytest.raises(errors.OutcomeUnknownError):
        await here.run(Reboot())

    with pytest.raises(errors.ConflictError):
        await here.client.bind(
            seen.name,
            namespace=seen.namespace,
            uid=seen.uid,
            resource_version=seen.resource_version,
            node="n1",
        )
    assert here.record.repair.status.intent is None


@virtualtime.played
async def test_what_was_started_is_remembered_though_its_pod_is_taken_back() -> None:
    here = await sent()

    await here.run(Reboot(), after=LATE)

    assert (await here.pod()).metadata.deletion_timestamp is not None
    assert here.record.repair.status.intent is not None


@virtualtime.played
async def test_only_the_pod_that_was_seen_is_taken_back() -> None:
    here = await sent()
    here.meanwhile["DELETE"] = here.make_anew

    with pytest.raises(errors.ConflictError):
        await here.run(Reboot(), after=LATE)

    assert len(await here.pods()) == 1


@pytest.mark.parametrize("race", RACES)
@virtualtime.played
async def test_who_is_late_to_start_a_pod_starts_no_other_one_and_looks_again(race: str) -> None:
    here = await unsent()
    claimed = (await here.pod()).metadata.uid

    async def faster() -> None:
        await RACES[race](here)

    here.meanwhile["POST"] = faster
    waits = await here.run(Reboot())

    assert isinstance(waits, Going)
    started = [each.metadata.uid for each in await here.pods() if each.spec.node_name]
    assert started == ([claimed] if race == "started" else [])


@virtualtime.played
async def test_who_is_late_to_make_a_pod_looks_again() -> None:
    here = await sending("drain", "reboot")
    await here.run(Reboot())
    made = await here.pod()
    value = here.direct.get("pods", made.metadata.name, namespace=made.metadata.namespace)
    await here.delete()

    async def faster() -> None:
        meta = {"name": made.metadata.name}
        again = {"metadata": meta, "spec": value["spec"]}
        await here.client.create(REPAIR_PODS, again, namespace=made.metadata.namespace)

    here.meanwhile["POST"] = faster

    assert isinstance(await here.run(Reboot()), Going)
    assert len(await here.pods()) == 1


@virtualtime.played
async def test_what_may_still_run_is_found_by_its_own_name() -> None:
    here = await sent()
    node, held = await here.node(), here.record.repair
    intent = held.status.intent
    assert intent is not None

    assert not await errands.is_settled(here.client, held, intent, node, NOON.replace(hour=23))


def test_every_rung_of_every_repair_has_a_pod_name_of_its_own() -> None:
    first, other = repair("n1"), repair("n2")
    higher = structs.replace(first, status=structs.replace(first.status, rung=1))

    names = [bodies.pod_name(each, "reboot") for each in (first, other, higher)]

    assert len({*names, bodies.pod_name(first, "reset-gpu")}) == 4
    assert names[0] == bodies.pod_name(first, "reboot")
