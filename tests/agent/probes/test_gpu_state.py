"""A GPU's own word, and the driver's, about what is wrong with it and what must be done."""

from pathlib import Path

import pytest

from agent.host.nvml.facts import Driver, Gpus, Standing
from agent.probes.gpu_state import (
    FAILING,
    INFOROM,
    MIG,
    PERSISTENCE,
    RECOVERY,
    VBIOS,
    GPUState,
)
from nodehealth.health import ProbeState
from tests.agent.gpus import FIELDS, H100, Watch, card, fields, machine, with_card, without_driver

WELL = dict.fromkeys((FAILING, RECOVERY, PERSISTENCE, MIG, INFOROM, VBIOS), 0.0)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with two GPUs."""
    return Watch.over(tmp_path, GPUState(), machine(count=2))


async def test_of_a_gpu_that_is_well_nothing_is_wrong(watch: Watch) -> None:
    assert await watch.look() == WELL
    assert watch.known.reports["gpu"].state is ProbeState.OK


async def test_a_machine_without_gpus_says_nothing(tmp_path: Path) -> None:
    assert await Watch.over(tmp_path, GPUState(), Gpus()).look() == {}


@pytest.mark.parametrize(
    ("action", "word"),
    [
        (1, "reset"),
        (2, "reboot"),
        (3, "drain-p2p"),
        (4, "drain-and-reset"),
        (5, "recover-imex"),
        (6, "bus-reset"),
        (7, "system-reboot"),
        (8, "action 8"),
    ],
)
async def test_what_the_driver_wants_done_is_told(watch: Watch, action: int, word: str) -> None:
    told = await watch.look(machine(card(0, fields({"230": action}))))

    assert told[RECOVERY] == action
    assert watch.level(RECOVERY).fields == {"action": word}


@pytest.mark.parametrize("function", ["nvmlDeviceGetPowerUsage", FIELDS])
async def test_a_call_that_says_that_a_reset_is_required_is_believed(
    watch: Watch, function: str
) -> None:
    told = await watch.look(machine(card(0, {function: {"error": 16}})))

    assert told[RECOVERY] == 1
    assert watch.level(RECOVERY).fields == {"action": "reset"}


async def test_what_the_driver_says_outweighs_what_a_call_does(watch: Watch) -> None:
    said = {**fields({"230": 2}), "nvmlDeviceGetPowerUsage": {"error": 16}}

    assert (await watch.look(machine(card(0, said))))[RECOVERY] == 2


async def test_a_gpu_that_cannot_even_be_asked_for_says_that_it_needs_a_reset(
    watch: Watch,
) -> None:
    refused = {"nvmlDeviceGetHandleByPciBusId_v2": {"error": 16}}
    gpus = with_card(machine(count=2), 0, standing=Standing.UNASKED, answers=refused)

    assert (await watch.look(gpus))[RECOVERY] == 1


async def test_older_drivers_want_nothing_done(watch: Watch) -> None:
    older = card(0, {FIELDS: {key: value for key, value in H100[FIELDS].items() if key != "230"}})

    assert (await watch.look(machine(older)))[RECOVERY] == "notApplicable"
    assert watch.known.reports["gpu"].state is ProbeState.OK


async def test_a_gpu_is_failing_when_three_looks_in_a_row_meet_errors(watch: Watch) -> None:
    sick = machine(card(0, {"nvmlDeviceGetTemperatureV": {"error": 999}}))

    seen = [(await watch.look(each))[FAILING] for each in (sick, sick, machine(), sick, sick, sick)]

    assert seen == [0, 0, 0, 0, 0, 1]
    assert watch.level(FAILING).fields == {"code": 999, "looks": 3}


async def test_how_often_it_failed_is_remembered_by_the_next_agent(watch: Watch) -> None:
    sick = machine(card(0, {FIELDS: {"error": 17}}))
    await watch.look(sick)
    await watch.look(sick)
    watch.restart()

    assert (await watch.look(sick))[FAILING] == 1


async def test_a_gpu_that_nvml_refuses_again_and_again_is_failing(watch: Watch) -> None:
    refused = {"nvmlDeviceGetHandleByPciBusId_v2": {"error": 999}}
    gpus = with_card(machine(count=2), 0, standing=Standing.UNASKED, answers=refused)

    assert [(await watch.look(gpus))[FAILING] for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(
    "said",
    [
        {"nvmlDeviceGetTemperatureV": {"error": 3}},
        {"nvmlDeviceGetTemperatureV": {"error": 20}},
        {"nvmlDeviceValidateInforom": {"error": 999}},
        fields({"230": {"error": 999}}),
    ],
)
async def test_no_gpu_is_failing_for_one_thing_that_it_cannot_tell(
    watch: Watch, said: dict[str, object]
) -> None:
    seen = [(await watch.look(machine(card(0, said))))[FAILING] for _ in range(4)]

    assert seen == [0] * 4


async def test_modes_are_told(watch: Watch) -> None:
    said = {"nvmlDeviceGetPersistenceMode": 0, "nvmlDeviceGetMigMode": [0, 1]}

    told = await watch.look(machine(card(0, said)))

    assert (told[PERSISTENCE], told[MIG]) == (1, 1)


@pytest.mark.parametrize("function", ["nvmlDeviceValidateInforom", "nvmlDeviceGetEccMode"])
async def test_a_damaged_inforom_is_told_by_whichever_call_meets_it(
    watch: Watch, function: str
) -> None:
    assert (await watch.look(machine(card(0, {function: {"error": 14}}))))[INFOROM] == 1


async def test_gpus_of_one_model_are_to_have_one_vbios(watch: Watch) -> None:
    other = card(1, {"nvmlDeviceGetVbiosVersion": "96.00.74.00.0D"})
    model = card(2, {"nvmlDeviceGetVbiosVersion": "92", "nvmlDeviceGetName": "NVIDIA T4"})

    alike = (await watch.look(machine(card(0), model)))[VBIOS]
    differing = (await watch.look(machine(card(0), other, model)))[VBIOS]

    assert (alike, differing) == (0, 1)
    assert watch.level(VBIOS, "").fields == {"versions": "96.00.74.00.0D, 96.00.99.00.01"}


@pytest.mark.parametrize("driver", [Driver.HUNG, Driver.RELEASED, Driver.STARTING, Driver.ABSENT])
async def test_while_the_driver_is_away_nothing_is_known_but_what_does_not_apply(
    watch: Watch, driver: Driver
) -> None:
    gpus = machine(card(0, {"nvmlDeviceGetMigMode": {"error": 3}}))
    await watch.look(gpus)

    told = await watch.look(without_driver(gpus, driver))

    assert told == {
        **dict.fromkeys(WELL, "unknown"),
        MIG: "notApplicable",
        VBIOS: 0,
    }


@pytest.mark.parametrize("standing", [Standing.HUNG, Standing.RESTING, Standing.LOST])
async def test_of_a_gpu_that_does_not_answer_nothing_is_known_though_others_do(
    watch: Watch, standing: Standing
) -> None:
    await watch.look()

    told = await watch.look(with_card(machine(count=2), 0, standing=standing))

    assert set(told.values()) == {"unknown", 0}
    assert watch.of("GPU-4a1f0c52-8d11-4c0e-9b5e-000000000001") == WELL


async def test_what_an_earlier_agent_knew_is_unknown_until_it_is_asked_again(watch: Watch) -> None:
    await watch.look()
    watch.restart()

    blind = await watch.look(Gpus(driver=Driver.STARTING))
    again = await watch.look(machine(count=2))
    gone = await watch.look(machine(card(1)))

    assert set(blind.values()) == {"unknown"}
    assert (again, set(gone)) == (WELL, {VBIOS})
