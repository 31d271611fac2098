"""NVLinks that are down, lead elsewhere or damage what they carry."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.probes.gpu_nvlink import CRC, DOWN, ERRORS, PEERS, RECOVERIES, GPUNVLink
from tests.agent.gpus import FIELDS, Watch, card, fields, machine, uuid

STATES, REMOTES = "nvmlDeviceGetNvLinkState", "nvmlDeviceGetNvLinkRemotePciInfo_v2"
LINKS = range(18)
FIFTH = (206, 207, 208, 209, 210, 211, 212, 214, 215, 219)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUNVLink())


def states(*down: int) -> Mapping[str, object]:
    return {STATES: {str(link): int(link not in down) for link in LINKS}}


def fifth(changed: Mapping[str, object] | None = None) -> Mapping[str, object]:
    each = {f"{which}/{link}": 0 for which in FIFTH for link in LINKS}
    return {FIELDS: {"91": 18, **each, **(changed or {})}}


def happened(watch: Watch, name: str) -> int:
    return sum(each.count for each in watch.known.events if each.name == name)


async def test_links_that_are_well_are_up_and_clean(watch: Watch) -> None:
    await watch.look()

    assert await watch.look() == {DOWN: 0, PEERS: 0, CRC: 0}
    assert watch.level(DOWN).fields == {"links": 18}
    assert watch.level(PEERS).fields == {"peers": 4}
    assert watch.known.events == ()


async def test_links_that_are_down_are_named(watch: Watch) -> None:
    told = await watch.look(machine(card(0, states(3, 17))))

    assert told[DOWN] == 2
    assert watch.level(DOWN).fields == {"links": 18, "down": "3,17"}


async def test_links_that_never_were_up_are_not_missed_until_one_is(watch: Watch) -> None:
    dark = machine(card(0, states(*LINKS)))

    seen = [(await watch.look(each))[DOWN] for each in (dark, machine(), dark)]

    assert seen == ["notApplicable", 0, 18]


async def test_fields_tell_the_state_where_there_is_no_call_for_it(watch: Watch) -> None:
    said = {STATES: {"error": 3}, **fields({"91": 2, "165/0": 1, "165/1": 0})}

    assert (await watch.look(machine(card(0, said))))[DOWN] == 1


@pytest.mark.parametrize(
    "said",
    [
        {**states(3), "nvmlDeviceGetMigMode": [1, 1]},
        {STATES: {"error": 3}, FIELDS: {}},
    ],
)
async def test_without_nvlink_and_in_mig_mode_no_link_is_missed(
    watch: Watch, said: Mapping[str, object]
) -> None:
    told = await watch.look(machine(card(0, said)))

    assert told == dict.fromkeys((DOWN, PEERS, CRC), "notApplicable")


async def test_an_operator_may_say_how_many_links_there_are_to_be(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUNVLink(links=17))

    seen = [(await watch.look(machine(card(0, states(*down)))))[DOWN] for down in ((3,), (3, 4))]

    assert seen == [0, 1]


async def test_a_device_to_which_no_link_leads_any_more_is_missed(watch: Watch) -> None:
    three = {REMOTES: {str(link): f"00000000:{5 + link % 3:02X}:00.0" for link in LINKS}}
    await watch.look()

    assert (await watch.look(machine(card(0, three))))[PEERS] == 1
    assert (await watch.look(machine(card(0, {REMOTES: {}}))))[PEERS] == 4
    assert (await watch.look(machine(card(0))))[PEERS] == 0


@pytest.mark.parametrize("told_by", ["totals", "links"])
async def test_damage_is_told_by_the_second_and_recoveries_are_counted(
    watch: Watch, told_by: str
) -> None:
    if told_by == "totals":
        before, after = fields({}), fields({"38": 600, "45": 600, "52": 2, "59": 1})
    else:
        none = {f"{which}/{link}": 0 for which in (161, 162, 163) for link in LINKS}
        some = {"163/3": 600, "163/4": 600, "161/3": 2, "162/17": 1}
        before = {FIELDS: {"91": 18, **none}}
        after = {FIELDS: {"91": 18, **none, **some}}
    await watch.look(machine(card(0, before)))

    told = await watch.look(machine(card(0, after)), after=60)

    assert (told[CRC], happened(watch, RECOVERIES), happened(watch, ERRORS)) == (20, 3, 0)


async def test_of_the_fifth_nvlink_every_error_is_counted(watch: Watch) -> None:
    await watch.look(machine(card(0, fifth())))

    told = await watch.look(machine(card(0, fifth({"206/3": 2, "212/17": 1, "215/4": 5}))))

    assert (told[CRC], happened(watch, RECOVERIES), happened(watch, ERRORS)) == (
        "notApplicable",
        5,
        3,
    )


async def test_a_link_that_does_not_tell_for_a_while_makes_no_errors_when_it_does(
    watch: Watch,
) -> None:
    many = fifth({"206/3": 4000})
    for said in (many, fifth({"206/3": {"error": 999}}), many, many):
        await watch.look(machine(card(0, said)))

    assert happened(watch, ERRORS) == 0
    assert uuid(0) in {each.subject for each in watch.known.levels["gpu"]}
