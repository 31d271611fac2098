"""A machine boots anew because a program was sent once, and only its boot id proves it."""

from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.errand import Program
from nodehealth.kube import errors
from nodehealth.kube.objects import OwnerReference
from nodehealth.outcome import Result
from nodehealth.repair import Intent
from remediator import bodies
from remediator.actions import Done, Failed, Going, SupersededError
from remediator.actions.reboot import Reboot
from remediator.decide.errands import Errand
from remediator.decide.repairpods import REPAIR_PODS
from simulator import virtualtime
from simulator.api.status import StatusError
from tests.builders import NOON
from tests.remediator.sending import IMAGE, Sending, sending

LADDER = ("drain", "reboot")
WHERE = keys.REPAIR_NAMESPACE
AT_ONCE = {"gracePeriodSeconds": 0}
ERRAND = Errand(program=Program.REBOOT, lasts=timedelta(minutes=5))


async def under_way() -> Sending:
    here = await sending(*LADDER)
    await here.runs(Reboot(), times=2)
    return here


@virtualtime.played
async def test_one_pod_is_made_claimed_and_sent_to_the_node() -> None:
    here = await under_way()

    pod, intent = await here.pod(), here.record.repair.status.intent
    assert pod.spec.node_name == "n1"
    assert intent is not None
    assert (intent.action, intent.pod, intent.boot_id) == ("reboot", pod.metadata.uid, "boot-1")
    assert await here.command() == ["nodemend", "node", "reboot", "--boot-id", "boot-1"]


@virtualtime.played
async def test_the_pod_is_what_it_should_be_and_goes_with_its_repair() -> None:
    here = await under_way()

    pod = await here.pod()
    value = here.direct.get("pods", pod.metadata.name, namespace=keys.REPAIR_NAMESPACE)
    spec, (container,) = value["spec"], value["spec"]["containers"]
    meta = here.record.repair.metadata
    assert pod.metadata.owner_references == (
        OwnerReference(
            api_version="nodemend.dev/v1alpha1", kind="NodeRepair", name=meta.name, uid=meta.uid
        ),
    )
    assert (container["image"], container["imagePullPolicy"]) == (IMAGE, "IfNotPresent")
    assert container["securityContext"]["privileged"]
    assert spec["hostPID"]
    assert not spec["automountServiceAccountToken"]
    assert (spec["restartPolicy"], spec["activeDeadlineSeconds"]) == ("Never", 480)
    assert {"operator": "Exists"} in spec["tolerations"]


@virtualtime.played
async def test_doing_it_again_sends_nobody_twice() -> None:
    here = await under_way()
    before = await here.pods()

    waits = await here.runs(Reboot(), times=3, after=30)

    assert isinstance(waits, Going)
    assert [each.metadata.uid for each in await here.pods()] == [
        each.metadata.uid for each in before
    ]


@virtualtime.played
async def test_it_is_done_when_another_boot_is_ready_and_not_before() -> None:
    here = await under_way()
    await here.end(Result.DONE, "the machine goes down")

    before = await here.run(Reboot(), after=20)
    await here.boot("boot-2", ready=False)
    between = await here.run(Reboot(), after=100)
    await here.boot("boot-2")

    assert isinstance(before, Going)
    assert isinstance(between, Going)
    assert await here.run(Reboot(), after=120) == Done(
        message="the machine booted anew, and its node is Ready"
    )


@virtualtime.played
async def test_a_refusal_is_told_in_the_programs_words() -> None:
    here = await under_way()
    await here.end(Result.REFUSED, "this is another boot")

    assert await here.run(Reboot(), after=20) == Failed(
        message="reboot refused: this is another boot"
    )


@virtualtime.played
async def test_who_is_superseded_sees_to_it_that_nothing_starts() -> None:
    here = await sending(*LADDER)
    await here.run(Reboot())
    here.superseded = True

    with pytest.raises(SupersededError):
        await here.run(Reboot())

    assert await here.pods() == ()
    assert here.record.repair.status.intent is None


@virtualtime.played
async def test_what_was_claimed_and_not_sent_is_held_back_and_sent_later() -> None:
    here = await sending(*LADDER)
    await here.run(Reboot())
    uid = (await here.pod()).metadata.uid
    intent = Intent(action="reboot", key="k", issued_at=NOON, pod=uid, boot_id="boot-1")
    await here.record.note(structs.replace(here.record.repair.status, intent=intent))
    here.held_back = True

    with pytest.raises(SupersededError):
        await here.run(Reboot())
    held = here.record.repair.status.intent
    here.held_back = False
    await here.runs(Reboot(), times=2)
    sent, claimed = await here.pod(), here.record.repair.status.intent

    assert held is None
    assert sent.spec.node_name == "n1"
    assert claimed is not None
    assert (claimed.pod, claimed.attempt) == (sent.metadata.uid, 1)


@virtualtime.played
async def test_what_was_claimed_and_not_sent_is_sent_by_whoever_comes_next() -> None:
    here = await sending(*LADDER)
    await here.run(Reboot())
    uid = (await here.pod()).metadata.uid
    intent = Intent(action="reboot", key="k", issued_at=NOON, pod=uid, boot_id="boot-1")
    await here.record.note(structs.replace(here.record.repair.status, intent=intent))

    await here.run(Reboot())

    assert (await here.pod()).spec.node_name == "n1"


@virtualtime.played
async def test_a_pod_that_comes_late_under_the_same_name_is_started_by_nobody() -> None:
    here = await under_way()
    first = await here.pod()
    late = bodies.pod(ERRAND, here.record.repair, "boot-1", IMAGE)
    here.direct.delete("pods", first.metadata.name, namespace=WHERE, options=AT_ONCE)
    await here.client.create(REPAIR_PODS, late, namespace=WHERE)

    waits = await here.run(Reboot(), after=60)

    assert isinstance(waits, Going)
    assert "its Pod is gone" in waits.message
    assert (await here.pod()).spec.node_name == ""


@virtualtime.played
async def test_without_an_image_it_says_so_and_fails_in_time() -> None:
    here = await sending(*LADDER)
    here.direct.delete("podtemplates", keys.REPAIR_NAME, namespace=keys.REPAIR_NAMESPACE)

    waits = await here.run(Reboot())

    assert isinstance(waits, Going)
    assert 'podtemplates "nodemend-repair" not found' in waits.message
    assert isinstance(await here.run(Reboot(), after=180), Failed)


@virtualtime.played
async def test_only_the_remediator_may_make_start_or_change_such_a_pod() -> None:
    here = await under_way()
    value = here.direct.get(
        "pods", (await here.pod()).metadata.name, namespace=keys.REPAIR_NAMESPACE
    )
    spec = {key: each for key, each in value["spec"].items() if key != "nodeName"}
    other = {"metadata": {"name": "mine"}, "spec": spec}

    with pytest.raises(StatusError, match="only the remediator makes repair Pods"):
        here.direct.create("pods", other, namespace=keys.REPAIR_NAMESPACE)
    spec["containers"][0]["command"] = ["sh"]
    with pytest.raises(errors.ForbiddenError, match="runs `nodemend node`"):
        await here.client.create(REPAIR_PODS, other, namespace=keys.REPAIR_NAMESPACE)
