"""GPUs are reset once nobody holds them, and whoever gave way comes back however it ends."""

from typing import Final

import pytest

from nodehealth import keys
from nodehealth.outcome import Result
from remediator.actions import Done, Failed, Going, Progress, SupersededError
from remediator.actions.reset_gpu import ResetGpu
from remediator.rules.policy import GpuClients
from simulator import virtualtime
from tests.remediator.sending import Sending, sending

PARTS: Final = ("GPU-1", "/scratch", "GPU-2")
PLUGIN: Final = GpuClients(daemon_sets=frozenset({("gpu-operator", "plugin")}))
OWNER: Final = {"apiVersion": "apps/v1", "kind": "DaemonSet", "uid": "u", "controller": True}


async def resetting(clients: GpuClients = PLUGIN) -> Sending:
    here = await sending("reset-gpu", parts=PARTS, gpu_clients=clients)
    here.direct.create("namespaces", {"metadata": {"name": "gpu-operator"}})
    return here


def daemon(here: Sending, owner: str) -> None:
    """Have a pod of a DaemonSet on the node."""
    meta = {"name": f"{owner}-1", "ownerReferences": [{**OWNER, "name": owner}]}
    spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "x"}]}
    here.direct.create("pods", {"metadata": meta, "spec": spec}, namespace="gpu-operator")


def leaves(here: Sending, owner: str) -> None:
    """Have it go."""
    where, options = "gpu-operator", {"gracePeriodSeconds": 0}
    here.direct.delete("pods", f"{owner}-1", namespace=where, options=options)


async def labels(here: Sending) -> dict[str, str]:
    return dict((await here.node()).metadata.labels)


async def to_the_end(here: Sending, result: Result) -> Progress:
    await here.runs(ResetGpu(), times=3)
    await here.end(result, "words")
    return await here.run(ResetGpu(), after=30)


@virtualtime.played
async def test_without_a_gpu_in_the_evidence_nothing_is_reset() -> None:
    here = await sending("reset-gpu", parts=("/scratch",))

    assert await here.run(ResetGpu()) == Failed(
        message="the evidence names no GPU that could be reset"
    )


@virtualtime.played
async def test_the_gpus_of_the_evidence_are_named_to_the_program() -> None:
    here = await resetting()
    await here.runs(ResetGpu(), times=3)

    words = await here.command()

    assert words[-4:] == ["--gpu", "GPU-1", "--gpu", "GPU-2"]


@virtualtime.played
async def test_whoever_holds_gpus_leaves_first_and_others_may_stay() -> None:
    here = await resetting()
    daemon(here, "plugin")
    daemon(here, "logs")

    waits = await here.runs(ResetGpu(), times=2)
    paused = await labels(here)
    before = await here.pods()
    leaves(here, "plugin")
    await here.run(ResetGpu())

    assert isinstance(waits, Going)
    assert waits.message == "waits for gpu-operator/plugin-1 to leave the node"
    assert paused[keys.GPU_CLIENTS_LABEL] == keys.PAUSED
    assert before == ()
    assert len(await here.pods()) == 1


@pytest.mark.parametrize("result", Result)
@virtualtime.played
async def test_they_come_back_however_it_ends(result: Result) -> None:
    here = await resetting()
    before = await labels(here)

    ended = await to_the_end(here, result)

    assert isinstance(ended, Done if result is Result.DONE else Failed)
    assert await labels(here) == before
    assert keys.GPU_CLIENTS_ANNOTATION not in (await here.node()).metadata.annotations


@virtualtime.played
async def test_labels_of_an_operator_are_put_back_to_what_they_were() -> None:
    operators = {"nvidia.com/gpu.deploy.device-plugin": "false", "a": "off"}
    daemon_sets = PLUGIN.daemon_sets
    here = await resetting(GpuClients(daemon_sets=daemon_sets, labels=operators))
    before = await labels(here)
    await here.run(ResetGpu())
    between = await labels(here)

    await to_the_end(here, Result.DONE)

    assert operators.items() <= between.items()
    assert await labels(here) == before


@virtualtime.played
async def test_who_does_not_give_way_is_named_and_nothing_is_reset() -> None:
    here = await resetting()
    daemon(here, "plugin")
    before = await labels(here)
    await here.run(ResetGpu())

    failed = await here.run(ResetGpu(), after=180)

    assert failed == Failed(
        message="gpu-operator/plugin-1 did not give way to nodemend.dev/gpu-clients: paused "
        "within 3m"
    )
    assert await here.pods() == ()
    assert await labels(here) == before


@virtualtime.played
async def test_nobody_is_moved_off_without_the_right_to_disrupt() -> None:
    here = await resetting()
    here.superseded = True

    with pytest.raises(SupersededError):
        await here.run(ResetGpu())

    assert keys.GPU_CLIENTS_LABEL not in await labels(here)


@virtualtime.played
async def test_where_nobody_is_named_nobody_is_moved_off() -> None:
    here = await resetting(GpuClients())

    await here.runs(ResetGpu(), times=2)

    assert keys.GPU_CLIENTS_LABEL not in await labels(here)
    assert (await here.pod()).spec.node_name == "n1"
