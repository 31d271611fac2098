"""A crash is told once in the boot that follows it, with what was left of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.probes.boots import UNCLEAN, Boots
from nodehealth.health import Event
from tests.agent.gpus import NOON, Watch
from tests.agent.host.test_boots import CRASHED, ORDERLY, leave, tree, write_down
from tests.agent.trees import Tree

__all__ = ["tree"]

DUMP = "sys/fs/pstore/dmesg-efi-17600001"


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent on a machine that has booted."""
    watch = Watch(probe=Boots(), tree=tree, gpus=Gpus())
    watch.host = Host(root=tree.root, uptime=tree.root / "proc/uptime", clock=lambda: NOON)
    return watch


async def told(watch: Watch) -> list[Event]:
    for _ in range(3):
        await watch.look(after=600)
    return list(watch.known.events)


async def test_a_crash_is_told_once_and_dated_to_the_boot(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)

    (event,) = await told(watch)

    assert (event.name, event.count) == (UNCLEAN, 1)
    assert event.fields == {"why": "no shutdown", "records": ""}
    assert event.history.until == NOON - timedelta(seconds=700)


async def test_a_crash_that_left_something_was_a_panic(watch: Watch) -> None:
    write_down(watch.tree, CRASHED)
    leave(watch.tree, DUMP, -30)

    (event,) = await told(watch)

    assert event.fields == {"why": "panic", "records": "dmesg-efi-17600001"}


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


async def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert len(await Boots().check(Host(), {})) <= 1
    assert await Boots().check(Host(root=tmp_path), {}) == []
