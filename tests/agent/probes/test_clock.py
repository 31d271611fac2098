"""A clock that lost its keeper is told from one that never had any."""

import errno
from pathlib import Path

import pytest

from agent.host.discipline import Discipline
from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.probes.clock import MAX_ERROR, OFFSET, UNSYNCHRONISED, Clock
from tests.agent.gpus import Watch

ABSENT = "notApplicable"
KEPT = Discipline(is_synchronised=True, offset=-0.0003, max_error=0.02)
LOST = Discipline(is_synchronised=False, offset=0.0, max_error=16.0)


class Kernel:
    """A kernel whose clock is kept as it says."""

    def __init__(self) -> None:
        self.says: Discipline | None = KEPT

    def adjtimex(self) -> Discipline:
        if self.says is None:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return self.says


@pytest.fixture
def kernel() -> Kernel:
    """One whose clock is right."""
    return Kernel()


@pytest.fixture
def watch(tmp_path: Path, kernel: Kernel) -> Watch:
    """An agent on a machine with a clock."""
    watch = Watch.over(tmp_path, Clock(), Gpus())
    watch.host = Host(root=tmp_path, adjtimex=kernel.adjtimex)
    return watch


async def test_a_clock_that_is_kept_is_well(watch: Watch) -> None:
    assert await watch.look() == {UNSYNCHRONISED: 0, OFFSET: 0, MAX_ERROR: 0}


async def test_a_clock_that_was_kept_and_is_no_more_is_told(watch: Watch, kernel: Kernel) -> None:
    await watch.look()
    kernel.says = LOST

    assert await watch.look() == {UNSYNCHRONISED: 1, OFFSET: 0, MAX_ERROR: 15}


async def test_a_clock_that_is_kept_again_is_well(watch: Watch, kernel: Kernel) -> None:
    seen = []
    for each in (KEPT, LOST, KEPT):
        kernel.says = each
        seen.append((await watch.look())[UNSYNCHRONISED])

    assert seen == [0, 1, 0]


async def test_a_clock_that_the_kernel_never_heard_of_does_not_apply(
    watch: Watch, kernel: Kernel
) -> None:
    kernel.says = LOST

    seen = [await watch.look() for _ in range(2)]

    assert seen == [{UNSYNCHRONISED: ABSENT, OFFSET: ABSENT, MAX_ERROR: ABSENT}] * 2


async def test_an_offset_counts_whichever_way_it_is(watch: Watch, kernel: Kernel) -> None:
    kernel.says = Discipline(is_synchronised=True, offset=-0.31, max_error=0.5)

    assert (await watch.look())[OFFSET] == 0.3


async def test_the_usual_saw_teeth_change_nothing(watch: Watch, kernel: Kernel) -> None:
    seen = set()
    for n in range(60):
        error = 0.01 + n % 17 * 0.06
        kernel.says = Discipline(is_synchronised=True, offset=0.004 * (n % 5), max_error=error)
        seen.add(tuple((await watch.look()).values()))

    assert seen == {(0, 0, 0)}


async def test_a_kernel_that_may_not_be_asked_is_unknown(watch: Watch, kernel: Kernel) -> None:
    kernel.says = None

    seen = await watch.look()

    assert seen == {UNSYNCHRONISED: "unknown", OFFSET: "unknown", MAX_ERROR: "unknown"}


async def test_a_kernel_that_could_not_be_asked_was_not_right_by_that(
    watch: Watch, kernel: Kernel
) -> None:
    kernel.says = None
    await watch.look()
    kernel.says = LOST

    assert (await watch.look())[UNSYNCHRONISED] == ABSENT
