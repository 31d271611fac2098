"""How a reset goes, and that everything is put back, on a machine that only behaves like one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from agent.host.commands import Ended, Left
from agent.host.holders import Holder
from nodemend.mending import reset
from nodemend.mending.ending import FailedError, RefusedError
from nodemend.mending.reset import Bench, Order
from nodemend.mending.sight import Gpu, Sight
from simulator.virtualtime import played

IN_USE = "The following GPUs could not be reset:\n  GPU 0000: In use by another client"


@dataclass
class Machine:
    """Two GPUs on a bridge and a third one, of which the second is sick."""

    gpus: dict[str, Gpu] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)
    leaves_at: float = float("inf")
    """When all who hold something end."""
    released: bool = False
    persistence_off: tuple[str, ...] = ()
    persistence_counts: bool = False
    """Whether nvidia-smi refuses while the persistence mode is on, as some do."""
    hangs: bool = False
    breaks: bool = False
    mends_after: float = 0.0
    """Seconds after its reset until the driver has nothing against a GPU."""
    resets: list[tuple[str, ...]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    noted: list[tuple[str, ...]] = field(default_factory=list)
    was_released_at_reset: bool = False

    def bench(self) -> Bench:
        return Bench(
            look=self.look,
            holders=self.held,
            cards=lambda _: (),
            released=self.hold_released,
            smi=self.smi,
            remember=self.remember,
            remembered=self.remembered,
            note=self.note,
            say=self.said.append,
        )

    async def note(self, uuids: Sequence[str]) -> None:
        self.noted.append(tuple(uuids))

    async def look(self) -> Sight:
        return Sight(gpus=tuple(self.gpus.values()), by_uuid=self.gpus)

    async def held(self) -> tuple[Holder, ...]:
        gone = asyncio.get_running_loop().time() >= self.leaves_at
        return () if gone else tuple(self.holders)

    @contextlib.asynccontextmanager
    async def hold_released(self) -> AsyncIterator[None]:
        self.released = True
        try:
            yield
        finally:
            self.released = False

    async def smi(self, words: Sequence[str], patience: timedelta) -> Ended | Left:
        uuids = tuple(words[-1].split(","))
        if words[0] == "-pm":
            for each in uuids:
                self.gpus[each] = replace(self.gpus[each], persistence=words[1] == "1")
            return Ended(code=0)
        self.was_released_at_reset = self.released
        if self.hangs:
            await asyncio.sleep(patience.total_seconds())
            return Left(pid=99, state="D", wchan="nv_rpc")
        on = any(self.gpus[each].persistence for each in uuids)
        if self.persistence_counts and on:
            return Ended(code=255, output=IN_USE)
        if self.breaks:
            return Ended(code=3, output="GPU Reset couldn't run\nbecause.")
        self.resets.append(uuids)
        asyncio.get_running_loop().call_later(self.mends_after, self.mend, uuids)
        await asyncio.sleep(0.001)
        return Ended(code=0, output="All done.")

    def mend(self, uuids: Sequence[str]) -> None:
        for each in uuids:
            self.gpus[each] = replace(self.gpus[each], action=0, pending=False)

    async def remember(self, uuids: Sequence[str]) -> None:
        self.persistence_off = tuple(uuids)

    async def remembered(self) -> tuple[str, ...]:
        return self.persistence_off


def machine(**kwargs: object) -> Machine:
    one = Gpu(uuid="GPU-0", pci="0000:01:00.0", minor=0, persistence=True)
    two = replace(one, uuid="GPU-1", pci="0000:02:00.0", minor=1, peers=frozenset({one.pci}))
    three = replace(one, uuid="GPU-2", pci="0000:03:00.0", minor=2)
    gpus = {each.uuid: each for each in (one, replace(two, action=1), three)}
    return Machine(gpus=gpus, **kwargs)  # type: ignore[arg-type]  # whatever a test chooses


def order(*gpus: str, only_if_needed: bool = False) -> Order:
    return Order(
        gpus=gpus,
        patience=timedelta(minutes=3),
        resetting=timedelta(minutes=5),
        only_if_needed=only_if_needed,
    )


def holder(*devices: str, name: str = "dcgm", pid: int = 812) -> Holder:
    return Holder(pid=pid, name=name, state="S", devices=frozenset(devices))


@played
async def test_a_gpu_is_reset_with_its_peer_while_nvml_is_released() -> None:
    here = machine()

    said = await reset.reset(order("GPU-1"), here.bench())

    assert here.resets == here.noted == [("GPU-0", "GPU-1")]
    assert here.was_released_at_reset
    assert not here.released
    assert said == "reset GPU-1 and 1 that NVLink connects with it; all of them answer"


@played
async def test_who_lets_go_in_time_is_waited_for() -> None:
    here = machine(holders=[holder("nvidia1", "nvidiactl")], leaves_at=100.0)

    await reset.reset(order("GPU-1"), here.bench())

    assert here.resets == [("GPU-0", "GPU-1")]
    assert asyncio.get_running_loop().time() == pytest.approx(100.0, abs=2)
    assert "waits for 812 dcgm (nvidia1, nvidiactl)" in here.said


@played
async def test_who_does_not_let_go_is_named_and_nothing_is_reset() -> None:
    here = machine(holders=[holder("nvidia1")])

    with pytest.raises(RefusedError, match=r"still in use after 3m, .*: 812 dcgm \(nvidia1\)"):
        await reset.reset(order("GPU-1"), here.bench())

    assert here.resets == []
    assert not here.released


@played
async def test_a_peer_in_use_keeps_its_whole_domain_from_a_reset() -> None:
    here = machine(holders=[holder("nvidia0", name="train")])

    with pytest.raises(RefusedError, match=r"812 train \(nvidia0\)"):
        await reset.reset(order("GPU-1"), here.bench())


@played
async def test_a_gpu_of_another_domain_may_stay_in_use() -> None:
    here = machine(holders=[holder("nvidia0", "nvidiactl", "nvidia-uvm", name="train")])

    await reset.reset(order("GPU-2"), here.bench())

    assert here.resets == [("GPU-2",)]


@played
async def test_a_gpu_that_the_driver_does_not_know_is_refused() -> None:
    here = machine()

    with pytest.raises(RefusedError, match=r"has no GPU-9, only GPU-0, GPU-1, GPU-2"):
        await reset.reset(order("GPU-1", "GPU-9"), here.bench())

    assert (here.resets, here.released) == ([], False)


@played
async def test_a_gpu_that_is_lost_to_the_driver_is_not_reset() -> None:
    here = machine()
    here.gpus["GPU-0"] = replace(here.gpus["GPU-0"], error=15)

    with pytest.raises(RefusedError, match="GPU-0: lost to the driver, which needs a reboot"):
        await reset.reset(order("GPU-0"), here.bench())


@played
async def test_a_persistence_mode_in_the_way_is_put_off_and_on_again() -> None:
    here = machine(persistence_counts=True)

    await reset.reset(order("GPU-1"), here.bench())

    assert here.resets == [("GPU-0", "GPU-1")]
    assert all(each.persistence for each in here.gpus.values())
    assert here.persistence_off == ()


@played
async def test_a_gpu_that_somebody_took_again_is_said_so() -> None:
    here, asked = machine(persistence_counts=True), list[str]()

    async def smi(words: Sequence[str], _patience: timedelta) -> Ended | Left:
        asked.append(words[0])
        here.holders.append(holder("nvidia1", name="plugin"))
        return Ended(code=255, output=IN_USE)

    with pytest.raises(FailedError, match=r"In use by another client; in use again: 812 plugin"):
        await reset.reset(order("GPU-1"), replace(here.bench(), smi=smi))

    assert asked == ["--gpu-reset"]


@played
async def test_a_gpu_that_no_process_holds_and_that_is_in_use_is_held_by_the_kernel() -> None:
    here = machine(persistence_counts=True)
    here.gpus = {name: replace(each, persistence=False) for name, each in here.gpus.items()}

    async def smi(_words: Sequence[str], _patience: timedelta) -> Ended | Left:
        return Ended(code=255, output=IN_USE)

    with pytest.raises(FailedError, match="no process has it open: a module of the kernel, such"):
        await reset.reset(order("GPU-1"), replace(here.bench(), smi=smi))


@played
async def test_a_persistence_mode_that_a_crashed_run_left_off_is_put_on_by_the_next() -> None:
    here = machine(persistence_off=("GPU-2",))
    here.gpus["GPU-2"] = replace(here.gpus["GPU-2"], persistence=False)

    await reset.reset(order("GPU-1"), here.bench())

    assert here.gpus["GPU-2"].persistence
    assert here.persistence_off == ()


@played
async def test_a_nvidia_smi_that_hangs_is_left_and_told() -> None:
    here = machine(hangs=True)

    with pytest.raises(FailedError, match=r"PID 99\) did not end within 5m, asleep in the kernel"):
        await reset.reset(order("GPU-1"), here.bench())

    assert not here.released


@played
async def test_what_nvidia_smi_says_when_it_fails_is_told_on_one_line() -> None:
    here = machine(breaks=True)

    with pytest.raises(FailedError, match="ended with 3: GPU Reset couldn't run because"):
        await reset.reset(order("GPU-1"), here.bench())


@played
async def test_a_gpu_is_given_a_moment_to_be_itself_again() -> None:
    here = machine(mends_after=30.0)

    assert "all of them answer" in await reset.reset(order("GPU-1"), here.bench())


@played
async def test_a_reset_that_did_not_mend_is_a_failure() -> None:
    here = machine(mends_after=3600.0)

    with pytest.raises(FailedError, match="reset, but GPU-1 asks for a reset"):
        await reset.reset(order("GPU-1"), here.bench())


@played
async def test_a_second_reset_resets_again_unless_it_is_only_for_need() -> None:
    here = machine()
    await reset.reset(order("GPU-1"), here.bench())

    said = await reset.reset(order("GPU-1", only_if_needed=True), here.bench())
    await reset.reset(order("GPU-1"), here.bench())

    assert said == "nothing was reset: the driver has nothing against GPU-0, GPU-1"
    assert len(here.resets) == 2


@played
async def test_all_is_put_back_when_it_is_cancelled_in_the_midst() -> None:
    here = machine(holders=[holder("nvidia1")])
    task = asyncio.create_task(reset.reset(order("GPU-1"), here.bench()))
    await asyncio.sleep(20)

    task.cancel()
    await asyncio.wait([task])

    assert (task.cancelled(), here.released, here.resets) == (True, False, [])


@played
async def test_a_rehearsal_says_what_it_would_do_and_touches_nothing() -> None:
    here = machine(holders=[holder("nvidia1")])
    here.gpus["GPU-1"] = replace(here.gpus["GPU-1"], mig=True)
    before = dict(here.gpus)

    said = await reset.rehearse(order("GPU-1"), here.bench())

    assert said == (
        "would reset GPU-0, GPU-1 (1 of them because NVLink connects them with what is sick),"
        " once these have let go: 812 dcgm (nvidia1);"
        " MIG instances of GPU-1 end with it and must be made anew"
    )
    assert (here.gpus, here.resets, here.said) == (before, [], [])
