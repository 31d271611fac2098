"""Machines are replaced, rebooted, or not: what a machine owner's API shows of it."""

import asyncio
from datetime import timedelta

import pytest

from simulator.api.status import StatusError
from simulator.hooks import Hooks
from simulator.virtualtime import played
from tests.simulator.small_clusters import MACHINES, Look, small, until

REBOOT = "simulator.nodemend.dev/reboot"
FAULT = "simulator.nodemend.dev/fault"


class Diary(Hooks):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, ...]] = []

    async def machine_gone(self, node: str) -> None:
        self.entries.append(("gone", node))

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        self.entries.append(("started", node, node_uid, boot_id))


@played
async def test_a_deleted_machine_is_replaced_by_another_of_its_name() -> None:
    async with small() as cluster:
        look = Look(cluster)
        machine, node = look.machine("general-1"), look.node("general-1")
        options = {"preconditions": {"uid": machine["metadata"]["uid"]}}

        look.direct.delete(MACHINES, "general-1", options=options)
        await asyncio.sleep(1)
        assert look.machine("general-1")["status"]["phase"] == "Terminating"
        await until(lambda: look.direct.find("nodes", "general-1") is None)
        took = await until(lambda: look.ready("general-1") == "True")

        new_machine, new_node = look.machine("general-1"), look.node("general-1")
        assert timedelta(seconds=30) < took < timedelta(seconds=45)
        assert new_machine["metadata"]["uid"] != machine["metadata"]["uid"]
        assert new_node["metadata"]["uid"] != node["metadata"]["uid"]
        assert new_node["spec"]["providerID"] == f"sim://{new_machine['metadata']['uid']}"
        assert new_node["status"]["nodeInfo"]["bootID"] != node["status"]["nodeInfo"]["bootID"]
        assert new_machine["status"] == {
            "phase": "Running",
            "power": "On",
            "nodeUID": new_node["metadata"]["uid"],
            "providerID": new_node["spec"]["providerID"],
            "bootID": new_node["status"]["nodeInfo"]["bootID"],
        }


@played
async def test_a_machine_is_not_deleted_for_another_uid() -> None:
    async with small() as cluster:
        look = Look(cluster)

        options = {"preconditions": {"uid": "another"}}
        with pytest.raises(StatusError, match="the UID in the precondition"):
            look.direct.delete(MACHINES, "general-1", options=options)

        assert look.machine("general-1")["status"]["phase"] == "Running"


@played
async def test_a_reboot_happens_once_for_each_key_and_keeps_the_node() -> None:
    async with small() as cluster:
        look = Look(cluster)
        node = look.node("general-1")
        boots = [node["status"]["nodeInfo"]["bootID"]]
        for key in ("first", "second", "first"):
            look.direct.merge(MACHINES, "general-1", {"metadata": {"annotations": {REBOOT: key}}})
            await asyncio.sleep(150)
            boots.append(look.node("general-1")["status"]["nodeInfo"]["bootID"])

        assert len(set(boots)) == 3
        assert boots[2] == boots[3]
        assert look.node("general-1")["metadata"]["uid"] == node["metadata"]["uid"]
        assert look.ready("general-1") == "True"


@played
async def test_a_fault_is_gone_with_its_machine() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject("general-1", "disk-full")
        await asyncio.sleep(5)
        assert look.free("general-1") == 0

        look.direct.delete(MACHINES, "general-1")
        await asyncio.sleep(60)

        assert look.free("general-1") >= 0.5


@played
async def test_a_fault_that_survives_makes_the_successor_sick_too() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject("general-1", {"disk-full": {"survives": "replacement"}})

        look.direct.delete(MACHINES, "general-1")
        await asyncio.sleep(60)

        assert look.free("general-1") == 0


@played
async def test_a_machine_without_a_successor_stays_gone_until_there_is_one() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject("general-1", {"no-replacement": {"lasts": "30m"}})

        look.direct.delete(MACHINES, "general-1")
        await asyncio.sleep(1500)
        assert look.direct.find(MACHINES, "general-1") is None
        await asyncio.sleep(600)

        assert look.ready("general-1") == "True"


@played
async def test_an_annotation_makes_a_machine_sick_and_well() -> None:
    async with small() as cluster:
        look = Look(cluster)

        def annotate(value: str | None) -> None:
            look.direct.merge(MACHINES, "general-1", {"metadata": {"annotations": {FAULT: value}}})

        annotate("{disk-full: {free: 0.02}}")
        await asyncio.sleep(5)
        assert look.free("general-1") == 0.02

        annotate(None)
        await asyncio.sleep(5)
        assert look.free("general-1") >= 0.5


@played
async def test_a_misspelt_fault_is_complained_about_on_the_machine() -> None:
    async with small() as cluster:
        look = Look(cluster)

        look.direct.merge(MACHINES, "general-1", {"metadata": {"annotations": {FAULT: "disk"}}})
        await asyncio.sleep(5)

        complaint = look.machine("general-1")["metadata"]["annotations"][f"{FAULT}-error"]
        assert "no fault named 'disk'; known are agent-silent" in complaint


@played
async def test_who_stands_behind_an_external_node_is_told_of_its_machine() -> None:
    diary = Diary()
    async with small(hooks=diary, external=("here",)) as cluster:
        look = Look(cluster)
        assert look.direct.find("nodehealths.nodemend.dev", "here") is None

        look.direct.delete(MACHINES, "here")
        await asyncio.sleep(60)

        node = look.node("here")
        assert diary.entries == [
            ("gone", "here"),
            ("started", "here", node["metadata"]["uid"], node["status"]["nodeInfo"]["bootID"]),
        ]


@played
async def test_a_machine_that_is_to_be_off_goes_off_after_a_while_and_stays_off() -> None:
    async with small() as cluster:
        look = Look(cluster)

        look.direct.merge(MACHINES, "general-1", {"spec": {"power": "Off"}})
        await asyncio.sleep(4)
        still = look.machine("general-1")["status"]["power"]
        await asyncio.sleep(120)

        assert still == "On"
        off = look.machine("general-1")["status"]
        assert (off["power"], off["phase"]) == ("Off", "Off")
        assert look.ready("general-1") == "Unknown"


@played
async def test_a_machine_that_may_be_on_again_boots_anew_as_the_same_node() -> None:
    async with small() as cluster:
        look = Look(cluster)
        before = look.node("general-1")
        look.direct.merge(MACHINES, "general-1", {"spec": {"power": "Off"}})
        await asyncio.sleep(120)

        look.direct.merge(MACHINES, "general-1", {"spec": {"power": "On"}})
        await until(lambda: look.ready("general-1") == "True")

        after = look.node("general-1")
        assert look.machine("general-1")["status"]["power"] == "On"
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["status"]["nodeInfo"]["bootID"] != before["status"]["nodeInfo"]["bootID"]


@played
async def test_a_machine_that_lost_its_power_says_so() -> None:
    async with small() as cluster:
        look = Look(cluster)

        cluster.inject("general-1", "power-loss")
        await asyncio.sleep(1)

        assert look.machine("general-1")["status"]["power"] == "Off"
