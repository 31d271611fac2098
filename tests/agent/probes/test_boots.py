"""A crash is told once in the boot that follows it, with what was left of it."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from agent import lastboot, state
from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.lastboot import LastBoot
from agent.probes.boots import UNCLEAN, Boots
from nodehealth.health import Event
from tests.agent.gpus import NOON, Watch
from tests.agent.host.test_boots import CRASHED, ORDERLY, leave, tree, write_down
from tests.agent.trees import Tree

__all__ = ["tree"]

BOOTED_AT = NOON - timedelta(seconds=700)
DUMP = "sys/fs/pstore/dmesg-efi-17600001"


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent on a machine that has booted."""
    watch = Watch(probe=Boots(), tree=tree, gpus=Gpus())
    watch.host = Host(
        root=tree.root,
        uptime=tree.root / "proc/uptime",
        clock=lambda: BOOTED_AT + timedelta(seconds=watch.uptime),
    )
    return watch


async def told(watch: Watch) -> list[Event]:
    for _ in range(3):
        await watch.look(after=600)
    return list(watch.known.events)


async def test_a_crash_is_told_once_and_dated_to_the_boot(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)

    (event,) = await told(watch)

    assert (event.name, event.count) == (UNCLEAN, 1)
    assert event.fields == {"why": "no shutdown", "records": "", "boot": ""}
    assert event.history.until == NOON - timedelta(seconds=700)


async def test_a_crash_that_left_something_was_a_panic(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)
    leave(watch.tree, DUMP, -30)

    (event,) = await told(watch)

    assert event.fields == {"why": "panic", "records": "dmesg-efi-17600001", "boot": ""}


async def test_an_orderly_boot_is_none_even_if_the_kernel_had_an_oops_before(watch: Watch) -> None:
    write_down(watch.tree, ORDERLY)
    leave(watch.tree, DUMP, -300)

    assert await told(watch) == []


async def test_where_nobody_writes_down_ends_what_was_left_tells_of_a_crash(watch: Watch) -> None:
    leave(watch.tree, DUMP, -30)

    (event,) = await told(watch)

    assert event.fields["why"] == "panic"


async def test_where_nobody_knows_nothing_is_said(watch: Watch) -> None:
    assert await told(watch) == []


async def test_a_restart_of_the_agent_tells_no_crash_again(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)
    await told(watch)
    watch.restart()

    (event,) = await told(watch)

    assert event.count == 1


async def test_the_next_boot_is_judged_anew(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)
    await told(watch)
    watch.restart("b2")
    write_down(watch.tree, ORDERLY)

    assert await told(watch) == []


def remember(watch: Watch, *, alive: float, ended: float | None = None) -> None:
    """Let an agent of the boot before have left word, seconds before this boot began."""
    ended_at = None if ended is None else BOOTED_AT - timedelta(seconds=ended)
    alive_at = BOOTED_AT - timedelta(seconds=alive)
    last = LastBoot(boot_id="b0", alive_at=alive_at, ended_at=ended_at)
    watch.known = state.answered(watch.known, "gpu", [last.memo()], NOON)


async def test_without_a_log_of_ends_a_boot_that_nobody_told_the_agent_of_followed_a_crash(
    watch: Watch,
) -> None:
    remember(watch, alive=200)

    (event,) = await told(watch)

    assert event.fields == {"why": "no shutdown", "records": "", "boot": "b0"}


async def test_without_a_log_of_ends_a_boot_after_an_agent_was_told_to_end_was_wanted(
    watch: Watch,
) -> None:
    remember(watch, alive=200, ended=200)
    leave(watch.tree, DUMP, -300)

    assert await told(watch) == []


async def test_what_the_system_wrote_down_is_believed_before_the_agent(watch: Watch) -> None:
    remember(watch, alive=200)
    write_down(watch.tree, ORDERLY)

    assert await told(watch) == []


async def test_what_is_known_of_the_last_boot_outlasts_restarts_of_the_agent(watch: Watch) -> None:
    remember(watch, alive=200)
    await told(watch)
    watch.restart()

    assert {each.count for each in await told(watch)} == {1}
    assert lastboot.remembered(state.past(watch.known, "gpu")) is not None


async def test_a_system_that_makes_its_identity_at_each_boot_was_there_before(watch: Watch) -> None:
    os.utime(watch.tree.root / "etc/machine-id")
    first = await told(watch)
    remember(watch, alive=200)

    assert [first, len(await told(watch))] == [[], 1]


async def test_what_the_kernel_left_is_kept_beside_the_state(watch: Watch, tmp_path: Path) -> None:
    leave(watch.tree, DUMP, -30)
    into = tmp_path / "state" / "pstore"
    watch.host = Host(root=watch.tree.root, uptime=watch.tree.root / "proc/uptime", records=into)

    await told(watch)

    (copy,) = await asyncio.to_thread(lambda: [each.name for each in into.iterdir()])
    assert copy.endswith("-dmesg-efi-17600001")


async def test_that_nothing_can_be_kept_is_a_gap_and_hides_no_crash(watch: Watch) -> None:
    leave(watch.tree, DUMP, -30)
    into = watch.tree.root / "proc/stat" / "pstore"
    watch.host = Host(root=watch.tree.root, uptime=watch.tree.root / "proc/uptime", records=into)

    (event,) = await told(watch)

    assert event.fields["why"] == "panic"
    report = watch.known.reports["gpu"]
    assert report.message == "what the kernel left of a crash is not kept: Not a directory"


async def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert len(await Boots().check(Host(), {})) <= 1
    assert await Boots().check(Host(root=tmp_path), {}) == []
