"""A fault that is only told is told once when it begins and once when it ends."""

from datetime import datetime

from nodehealth.repair import Mode, Severity
from remediator.decide.faults import Fault
from remediator.faults import Faults
from tests.builders import NOON, at


def fault(rule: str = "nic-flaps", *, uid: str = "uid-n1", since: datetime = NOON) -> Fault:
    return Fault(
        node="n1",
        node_uid=uid,
        pool="default",
        rule=rule,
        severity=Severity.WARNING,
        mode=Mode.ENFORCE,
        team="",
        about="A link comes and goes.",
        runbook="",
        since=since,
        evidence=("net.flaps was seen 4 times",),
    )


class Heard:
    """Writes down what was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def begun(self, fault: Fault) -> None:
        self.words.append(f"{fault.rule} of {fault.node_uid} begun")

    async def over(self, fault: Fault) -> None:
        self.words.append(f"{fault.rule} of {fault.node_uid} over")

    def faults(self) -> Faults:
        return Faults(begun=self.begun, over=self.over)


async def test_each_is_told_when_it_begins_and_when_it_ends() -> None:
    heard = Heard()
    faults = heard.faults()

    await faults.see("n1", [fault()])
    await faults.see("n1", [fault(since=at(5))])
    await faults.see("n1", [fault(since=at(5)), fault("oom")])
    await faults.see("n1", [fault("oom")])

    assert heard.words == [
        "nic-flaps of uid-n1 begun",
        "oom of uid-n1 begun",
        "nic-flaps of uid-n1 over",
    ]
    assert [each.rule for each in faults.all()] == ["oom"]


async def test_another_machine_of_the_same_name_has_faults_of_its_own() -> None:
    heard = Heard()
    faults = heard.faults()
    await faults.see("n1", [fault()])

    await faults.see("n1", [fault(uid="uid-2")])

    assert heard.words[1:] == ["nic-flaps of uid-2 begun", "nic-flaps of uid-n1 over"]


async def test_a_new_leader_finds_them_again() -> None:
    heard = Heard()
    faults = heard.faults()
    await faults.see("n1", [fault()])

    faults.forget()

    assert faults.all() == ()
    assert len(heard.words) == 1
