"""How a machine is asked to go down, and what becomes of one that does not."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from agent.host.commands import Ended, Left
from nodemend.mending import reboot
from nodemend.mending.ending import FailedError
from nodemend.mending.reboot import Bench, Order
from simulator.virtualtime import played

NEVER = float("inf")


@dataclass
class Machine:
    """A machine that takes its programs along when it goes down."""

    goes_after: float = NEVER
    answer: Ended | Left = field(default_factory=lambda: Ended(code=0))
    disks: bool = True
    trigger: bool = True
    happened: list[str] = field(default_factory=list)

    def bench(self) -> Bench:
        return Bench(
            sync=self.sync,
            systemctl=self.systemctl,
            sysrq=self.sysrq,
            ordered=lambda words: self.happened.append(f"left: {words}"),
            say=lambda _: None,
        )

    async def sync(self) -> bool:
        self.happened.append("sync")
        return self.disks

    async def systemctl(self, word: str) -> Ended | Left:
        self.happened.append(word)
        task = asyncio.current_task()
        if self.goes_after < NEVER and task is not None:
            asyncio.get_running_loop().call_later(self.goes_after, task.cancel)
        return self.answer

    async def sysrq(self) -> None:
        if not self.trigger:
            raise PermissionError(13, "Permission denied")
        self.happened.append("sysrq")
        await asyncio.sleep(3600)


def order(*, force: bool = False) -> Order:
    return Order(patience=timedelta(minutes=5), force=force)


@played
async def test_the_last_words_are_left_before_the_machine_goes() -> None:
    machine = Machine(goes_after=3.0)

    said = await asyncio.create_task(reboot.reboot(order(), machine.bench()))

    assert machine.happened == ["sync", "left: a reboot is ordered", "reboot"]
    assert said == "a reboot is ordered, and ended this program"


@played
async def test_disks_that_do_not_answer_do_not_keep_a_sick_machine_up() -> None:
    machine = Machine(goes_after=3.0, disks=False)

    await asyncio.create_task(reboot.reboot(order(), machine.bench()))

    assert "reboot" in machine.happened


@played
async def test_a_machine_that_stays_up_is_no_success_and_is_not_forced() -> None:
    machine = Machine()

    with pytest.raises(FailedError, match="did not go down within 5m; the machine is still up"):
        await reboot.reboot(order(), machine.bench())

    assert "sysrq" not in machine.happened


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Ended(code=1, output="Failed to connect\nto bus"),
            "ended with 1: Failed to connect to bus",
        ),
        (Left(pid=8, state="D"), r"systemctl \(PID 8, state D\) does not end"),
    ],
)
def test_a_systemd_that_does_not_answer_is_told(answer: Ended | Left, why: str) -> None:
    machine = Machine(answer=answer)

    @played
    async def ordered() -> None:
        await reboot.reboot(order(), machine.bench())

    with pytest.raises(FailedError, match=why):
        ordered()


@played
async def test_a_machine_is_forced_only_by_who_says_so_and_only_in_the_end() -> None:
    machine = Machine()
    task = asyncio.create_task(reboot.reboot(order(force=True), machine.bench()))
    await asyncio.sleep(299)
    early = "sysrq" in machine.happened
    await asyncio.sleep(2)

    late = "sysrq" in machine.happened
    task.cancel()
    await asyncio.wait([task])

    assert (early, late) == (False, True)
    assert machine.happened[-2] == (
        "left: systemd did not go down within 5m; a reboot is forced by the kernel"
    )


@played
async def test_a_kernel_that_takes_no_command_is_told() -> None:
    machine = Machine(trigger=False)

    with pytest.raises(FailedError, match="the kernel takes no command"):
        await reboot.reboot(order(force=True), machine.bench())


@played
async def test_a_rehearsal_only_talks() -> None:
    machine = Machine()

    said = await reboot.rehearse(order(), machine.bench())

    assert machine.happened == []
    assert said == (
        "would reboot the machine by systemd; if it is still up after 5m, it has failed"
    )
