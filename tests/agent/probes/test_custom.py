"""Checks of the operator's own become levels, and their words do not make a write each time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import state
from agent.host.linux import Host
from agent.probe import Past
from agent.probes.custom import Custom, Tuning
from agent.readings import checked
from agent.state import State
from nodehealth.health import Level, ProbeState
from nodehealth.kit.settings import SettingsError, read
from nodehealth.signals import Knowledge
from tests.agent.host.checks.programs import script

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG = timedelta(seconds=60)


class Machine:
    """A machine with checks, and an agent that remembers what they said."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        self.folder, self.host = folder, Host()
        self.known = state.begin(None, boot_id="b", node_uid="u", probes=["custom"], now=NOON)

    def put(self, name: str, body: str, mode: int = 0o755) -> None:
        script(self.folder / name, body, mode)

    def probe(self, **settings: object) -> Custom:
        given = {"directory": str(self.folder), "patience": "30s", "deadline": "60s"}
        return read(Custom, given | settings, "probes.custom")

    async def look(self, host: Host | None = None, **settings: object) -> State:
        """Look once, as a new agent or as the one before."""
        past: Past = state.past(self.known, "custom")
        answers = await self.probe(**settings).check(host or self.host, past)
        for each in answers:
            checked(each)
        self.known = state.answered(self.known, "custom", answers, NOON)
        return self.known


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "checks.d")


def levels(known: State) -> Mapping[str, Level]:
    return {each.subject: each for each in known.levels["custom"]}


def values(known: State) -> Mapping[str, float | str | None]:
    return {
        name: each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge)
        for name, each in levels(known).items()
    }


async def test_where_there_are_no_checks_nothing_is_said(tmp_path: Path) -> None:
    probe = Custom(directory=str(tmp_path / "nowhere"))

    assert await probe.check(Host(), {}) == []


async def test_checks_become_levels(machine: Machine) -> None:
    machine.put("fine", "echo all is well; exit 0")
    machine.put("so-so", "echo 'WARN - 81% used | u=81'; exit 1")
    machine.put("bad", "echo disk is gone; exit 2")
    machine.put("lost", "echo who knows; exit 3")

    known = await machine.look()

    assert values(known) == {"fine": 0, "so-so": 1, "bad": 2, "lost": "unknown"}
    assert {name: dict(each.fields) for name, each in levels(known).items()} == {
        "fine": {"status": "ok", "message": ""},
        "so-so": {"status": "warning", "message": "WARN - 81% used"},
        "bad": {"status": "critical", "message": "disk is gone"},
        "lost": {"status": "unknown", "message": "who knows"},
    }
    assert known.reports["custom"].state is ProbeState.FAILED
    assert known.reports["custom"].message == "lost: exit code 3"


async def test_rules_of_the_problem_detector_become_levels(machine: Machine) -> None:
    script(machine.folder / "plugin/ntp.sh", "echo ntp is down; exit 1")
    where = {"reason": "Down", "path": "plugin/ntp.sh"}
    rules = [where | {"type": "permanent", "condition": "NTP"}, where | {"type": "temporary"}]
    config = {"plugin": "custom", "source": "ntp-monitor", "rules": rules}
    (machine.folder / "ntp.json").write_text(json.dumps(config))

    known = await machine.look()

    assert values(known) == {"NTP/Down": 2, "ntp-monitor/Down": 1}


async def test_words_that_change_make_no_write(machine: Machine) -> None:
    machine.put("load", "echo load is $$; exit 1")
    before = await machine.look(checks={"load": {"every": "1ms"}})

    after = await machine.look(checks={"load": {"every": "1ms"}})

    assert levels(after) == levels(before)


async def test_words_that_change_make_no_write_after_a_restart_either(machine: Machine) -> None:
    machine.put("load", "echo load is $$; exit 2")
    before = await machine.look()
    machine.known = state.begin(before, boot_id="b", node_uid="u", probes=["custom"], now=NOON)

    after = await machine.look(Host())

    assert levels(after) == levels(before)


async def test_another_status_brings_other_words(machine: Machine) -> None:
    machine.put("disk", "echo nearly full; exit 1")
    await machine.look(checks={"disk": {"every": "1ms"}})
    machine.put("disk", "echo full; exit 2")

    known = await machine.look(checks={"disk": {"every": "1ms"}})

    assert levels(known)["disk"].fields == {"status": "critical", "message": "full"}


async def test_a_check_that_finds_all_well_again_says_so(machine: Machine) -> None:
    seen = []
    for code in (0, 2, 0):
        machine.put("disk", f"exit {code}")
        seen.append(levels(await machine.look(checks={"disk": {"every": "1ms"}}))["disk"].value)

    assert seen == [0, 2, 0]


async def test_a_check_that_is_taken_away_says_nothing_any_more(machine: Machine) -> None:
    machine.put("a", "exit 2")
    machine.put("b", "exit 0")
    await machine.look()
    (machine.folder / "a").unlink()

    assert values(await machine.look()) == {"b": 0}


async def test_what_may_not_be_run_is_unknown_and_says_why(machine: Machine) -> None:
    machine.put("open", "exit 0", 0o777)
    machine.put("plain", "exit 0", 0o644)

    known = await machine.look()

    assert values(known) == {"open": "unknown", "plain": "unknown"}
    assert known.reports["custom"].message == (
        "open: everybody may write to it: mode 0777; "
        "plain: expected a program, got a file that is not executable"
    )


async def test_a_check_that_does_not_end_is_unknown(machine: Machine) -> None:
    machine.put("slow", "exec sleep 300")

    known = await machine.look(timeout="200ms")

    assert known.reports["custom"].message == "slow: no end within 0.2 s"


async def test_a_check_that_lies_elsewhere_is_run_with_its_arguments(
    machine: Machine, tmp_path: Path
) -> None:
    program = script(tmp_path / "plugins/check_load", 'echo "$2"; exit 2')
    elsewhere = {"path": str(program), "args": ["-w", "5,4,3"], "timeout": "30s"}

    known = await machine.look(checks={"load": elsewhere})

    assert levels(known)["load"].fields["message"] == "5,4,3"


async def test_two_checks_of_one_name_are_told_apart_by_nobody(
    machine: Machine, tmp_path: Path
) -> None:
    machine.put("load", "exit 2")
    elsewhere = {"path": str(script(tmp_path / "x", "exit 0"))}

    known = await machine.look(checks={"load": elsewhere})

    assert values(known) == {"load": "unknown"}
    assert known.reports["custom"].message == "load: more than one check has this name"


async def test_checks_that_are_too_many_are_not_run_in_silence(machine: Machine) -> None:
    for name in "abcd":
        machine.put(name, "exit 0")

    known = await machine.look(most=2)

    assert values(known) == {"a": 0, "b": 0, "(more)": "unknown"}
    assert known.reports["custom"].message == "(more): 2 more than the 2 that are run; see `most`"


async def test_a_check_finds_the_host(machine: Machine, tmp_path: Path) -> None:
    machine.put("root", 'echo "$HOST_ROOT $HOME"; exit 1')

    known = await machine.look(Host(root=tmp_path))

    assert levels(known)["root"].fields["message"] == f"{tmp_path} /"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"memory": "0"}, "expected memory such as 256Mi, got '0'"),
        ({"parallel": 0}, "expected parallel from 1 to 16, got 0"),
        ({"directory": "checks.d"}, "expected an absolute path, got 'checks.d'"),
        ({"checks": {"a": {"path": "x"}}}, "expected an absolute path, got 'x'"),
        ({"timeout": "11m"}, "expected a timeout of at most 10m, got 11m"),
        ({"checks": {"a": {"timeout": "0s"}}}, "expected a timeout of at most 10m, got 0s"),
        ({"checks": {"a": {"often": "1s"}}}, r"probes.custom.checks.a.often: unknown setting"),
    ],
)
def test_what_no_check_can_keep_to_is_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read(Custom, settings, "probes.custom")


def test_a_tuning_says_only_what_is_different() -> None:
    assert read(Custom, {"checks": {"a": {"every": "5m"}}}, "x").checks == {
        "a": Tuning(every=timedelta(minutes=5))
    }
