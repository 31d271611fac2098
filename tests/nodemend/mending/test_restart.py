"""How a service is restarted, and when it is said to be well."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from agent.host.commands import Ended, Left
from nodehealth.units import Service
from nodemend.mending import restart
from nodemend.mending.ending import FailedError, RefusedError
from nodemend.mending.restart import Bench, Order
from simulator.virtualtime import played


@dataclass
class Systemd:
    """One unit of a systemd; may die soon after each start, and be started again by systemd."""

    there: bool = True
    state: str = "active"
    lives_for: float = float("inf")
    mends_at: float = 0.0
    """From when on it no longer dies."""
    hangs: bool = False
    refuses: str = ""
    started: list[float] = field(default_factory=lambda: [0.0])
    runs: Iterator[int] = field(default_factory=lambda: itertools.count(2))
    run: int = 1
    restarts: int = 0

    def bench(self) -> Bench:
        return Bench(systemctl=self.systemctl, say=lambda _: None)

    async def systemctl(self, words: Sequence[str], patience: timedelta) -> Ended | Left:
        now = asyncio.get_running_loop().time()
        if words[0] == "restart":
            self.restarts += 1
            return self.begin(now)
        if not self.there:
            return Ended(code=0, output="LoadState=not-found\nActiveState=inactive\nInvocationID=")
        if now >= self.mends_at:
            self.lives_for = float("inf")
        if self.restarts and now - self.started[-1] >= self.lives_for:
            self.begin(now)
        shown = f"LoadState=loaded\nActiveState={self.state}\nSubState=running"
        return Ended(code=0, output=f"{shown}\nInvocationID={self.run}")

    def begin(self, now: float) -> Ended | Left:
        if self.hangs:
            return Left(pid=9, state="S")
        if self.refuses:
            return Ended(code=1, output=self.refuses)
        self.state, self.run = "active", next(self.runs)
        self.started.append(now)
        return Ended(code=0)


ORDER = Order(service=Service.KUBELET, patience=timedelta(minutes=2))


@played
async def test_a_service_that_stays_up_is_well() -> None:
    systemd = Systemd(state="failed")

    said = await restart.restart(ORDER, systemd.bench())

    assert (said, systemd.restarts) == ("kubelet.service was restarted and stays up", 1)
    assert asyncio.get_running_loop().time() >= restart.SETTLED.total_seconds()


@played
async def test_a_service_that_dies_and_is_started_over_and_over_is_not() -> None:
    systemd = Systemd(lives_for=5.0, mends_at=float("inf"))

    with pytest.raises(FailedError, match=r"did not stay up within 2m: active \(running\)"):
        await restart.restart(ORDER, systemd.bench())


@played
async def test_a_service_that_needs_some_tries_is_waited_for() -> None:
    systemd = Systemd(lives_for=5.0, mends_at=60.0)

    await restart.restart(ORDER, systemd.bench())

    assert asyncio.get_running_loop().time() == pytest.approx(70.0, abs=6)


@played
async def test_the_old_process_is_not_taken_for_the_new_one() -> None:
    systemd = Systemd()
    systemd.runs = itertools.repeat(1)  # it was not restarted at all

    with pytest.raises(FailedError, match="did not stay up"):
        await restart.restart(ORDER, systemd.bench())


@played
async def test_a_service_that_this_machine_has_not_is_refused() -> None:
    systemd = Systemd(there=False)

    with pytest.raises(RefusedError, match=r"this machine has no kubelet\.service: not-found"):
        await restart.restart(ORDER, systemd.bench())

    assert systemd.restarts == 0


@played
async def test_a_service_that_does_not_start_says_why() -> None:
    with pytest.raises(FailedError, match=r"kubelet\.service did not start: see journalctl -xe"):
        await restart.restart(ORDER, Systemd(refuses="see\njournalctl -xe").bench())


@played
async def test_a_systemd_that_hangs_is_left() -> None:
    with pytest.raises(FailedError, match=r"systemctl restart kubelet.service \(PID 9\)"):
        await restart.restart(ORDER, Systemd(hangs=True).bench())


@played
async def test_a_rehearsal_restarts_nothing() -> None:
    systemd = Systemd()

    said = await restart.rehearse(ORDER, systemd.bench())

    assert said == "would restart kubelet.service, which is active (running)"
    assert systemd.restarts == 0


@pytest.mark.parametrize("name", ["kubelet", "kubelet.service"])
def test_a_service_may_be_given_as_a_unit(name: str) -> None:
    assert restart.service(name) is Service.KUBELET


@pytest.mark.parametrize("name", ["sshd", "docker", "kubelet.socket", "--now", ""])
def test_no_other_service_is_ever_restarted(name: str) -> None:
    with pytest.raises(RefusedError, match="is never restarted; these are: chrony"):
        restart.service(name)
