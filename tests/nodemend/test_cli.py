"""What a person types, and what comes back: one line and an exit code when they can mend it."""

import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodemend import cli, commands

ROOT = Path(__file__).parents[2]


def nodemend(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nodemend", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize(
    "command", [(), ("demo",), ("probe",), ("agent",), ("remediator",), ("rules", "check")]
)
def test_every_command_says_what_it_is_for(command: tuple[str, ...]) -> None:
    answer = nodemend(*command, "--help", COLUMNS="200", TERM="dumb")

    assert answer.returncode == 0
    assert "Usage:" in answer.stdout
    assert "." in answer.stdout


def test_the_version_is_told() -> None:
    answer = nodemend("--version")

    assert answer.returncode == 0
    assert re.fullmatch(r"nodemend \S.*\n", answer.stdout)


def loaded(*words: str) -> set[str]:
    """Return the packages that are loaded once the command line is put together for some words."""
    code = (
        "import sys; from nodemend import cli; cli.app(sys.argv[1:], {}); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(answer.stdout.split())


def test_the_names_of_the_commands_load_none_of_them() -> None:
    assert not loaded("--help") & {"agent", "remediator", "simulator", "aiohttp", "rich"}


def test_an_agent_carries_nothing_that_it_does_not_need() -> None:
    found = loaded("agent")

    assert "agent" in found
    assert not found & {"remediator", "simulator", "rich", "kubernetes"}


def test_every_command_is_for_what_the_list_of_commands_says() -> None:
    whole = cli.app([], {"_NODEMEND_COMPLETE": "complete_bash"})
    single = {str(each.name): each.callback for each in whole.registered_commands}
    groups = {str(each.name): each.typer_instance for each in whole.registered_groups}
    for name, group in groups.items():
        if group is not None and group.registered_callback is not None:
            single[name] = group.registered_callback.callback
    told = {name: (inspect.getdoc(each) or "").splitlines()[0] for name, each in single.items()}

    assert told == commands.ABOUT


def test_the_cases_of_the_shipped_rules_are_played() -> None:
    answer = nodemend("rules", "test")

    assert answer.returncode == 0
    assert re.search(r"\d+ cases of \d+ rules? went as expected", answer.stdout)


def test_a_case_that_goes_otherwise_is_shown_as_a_story(tmp_path: Path) -> None:
    for name in ("scratch-full.yaml", "scratch-full_test.yaml"):
        text = (ROOT / "rules" / "disk" / name).read_text()
        (tmp_path / name).write_text(text.replace("for: 15m", "for: 5m"))

    answer = nodemend("rules", "test", str(tmp_path))

    assert answer.returncode == 1
    assert f"{tmp_path}/scratch-full_test.yaml:7: scratch-full: holds once" in answer.stdout
    assert re.search(r"^ *899s +holds +<-- expected", answer.stdout, re.MULTILINE)
    assert "cases went otherwise than expected" in answer.stdout


def test_rules_without_cases_are_not_tested(tmp_path: Path) -> None:
    shutil.copy(ROOT / "rules" / "disk" / "scratch-full.yaml", tmp_path)

    answer = nodemend("rules", "test", str(tmp_path))

    assert (answer.returncode, "no test cases" in answer.stdout) == (1, True)


def test_the_shipped_rules_are_good() -> None:
    answer = nodemend("rules", "check")

    assert answer.returncode == 0
    assert re.search(
        r"\d+ rules? and the policy are good \(mode observe\)\.\n"
        r"\d+ patterns of the kernel's log are good\.\n$",
        answer.stdout,
    )
    assert re.search(
        r"^scratch-full +critical +observe +drain, replace +2h16m +\d+$",
        answer.stdout,
        re.MULTILINE,
    )


def test_how_long_a_repair_may_take_counts_the_burn_in_of_the_policy(tmp_path: Path) -> None:
    rule = (ROOT / "rules" / "disk" / "scratch-full.yaml").read_text()
    (tmp_path / "scratch-full.yaml").write_text(re.sub(r"runbook: .*", "", rule))
    policy = (ROOT / "rules" / "policy.yaml").read_text()
    burns = "jobs: {burnIn: {template: stress, deadline: 10h}, "
    (tmp_path / "policy.yaml").write_text(policy.replace("jobs: {", burns))

    answer = nodemend("rules", "check", str(tmp_path))

    assert re.search(r"^scratch-full .* 12h43m +none$", answer.stdout, re.MULTILINE)


def test_who_enforces_without_an_owner_of_machines_is_told_where_a_person_will_be_called(
    tmp_path: Path,
) -> None:
    rule = (ROOT / "rules" / "disk" / "scratch-full.yaml").read_text()
    rule = rule.replace("mode: observe", "mode: enforce")
    (tmp_path / "scratch-full.yaml").write_text(re.sub(r"runbook: .*", "", rule))
    policy = (ROOT / "rules" / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(policy.replace("mode: observe ", "mode: enforce "))

    answer = nodemend("rules", "check", str(tmp_path))

    assert answer.returncode == 0, answer.stderr
    assert (
        "The policy enforces and names no provider, so where these rules come to replace a "
        "machine, a person is called: scratch-full.\n"
    ) in answer.stdout


def test_one_rule_is_checked_without_a_policy(tmp_path: Path) -> None:
    (tmp_path / "docs" / "runbooks").mkdir(parents=True)
    (tmp_path / "docs" / "runbooks" / "scratch-full.md").touch()
    shutil.copy(ROOT / "rules" / "disk" / "scratch-full.yaml", tmp_path)

    answer = nodemend("rules", "check", str(tmp_path / "scratch-full.yaml"))

    assert answer.returncode == 0
    assert answer.stdout.endswith("The rule is good.\nWithout test cases: scratch-full.\n")


def test_a_broken_rule_is_said_in_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: Rule\nkind: Rule\n")
    shutil.copy(ROOT / "rules" / "policy.yaml", tmp_path)

    answer = nodemend("rules", "check", str(tmp_path))

    assert answer.returncode == 2
    assert answer.stderr == f"nodemend: {tmp_path}/broken.yaml:2: the key kind is there twice\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("remediator", "--kubeconfig", "/absent"), "/absent: expected a kubeconfig"),
        (("remediator", "--rules", "/absent"), "/absent:1: expected a directory of rules"),
        (("agent", "--kubeconfig", "/absent"), "/absent: expected a kubeconfig"),
        (("agent", "--config", "/absent"), "/absent: expected a file"),
        (("demo", "--scenario", "/absent"), "/absent: expected a readable file"),
        (("demo", "--for", "ever"), "--for: expected a duration such as 90s"),
        (("probe", "--rules", "/absent"), "/absent:1: expected a directory of rules"),
    ],
)
def test_what_a_person_can_mend_is_said_without_a_traceback(
    arguments: tuple[str, ...], says: str
) -> None:
    answer = nodemend(*arguments)

    assert answer.returncode == 2
    assert says in answer.stderr.partition("nodemend: ")[2]
    assert "Traceback" not in answer.stderr


def test_a_full_disk_makes_the_probe_say_unhealthy(tmp_path: Path) -> None:
    rule = (ROOT / "rules" / "disk" / "scratch-full.yaml").read_text()
    always = rule.replace("'value < 0.02 && subject.endsWith(\"scratch\")'", "'value <= 1.0'")
    (tmp_path / "rule.yaml").write_text(always)

    answer = nodemend("probe", "--json", "--rules", str(tmp_path))

    report = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert report["health"] == "unhealthy"
    assert "disk.free_ratio of / is" in report["faults"][0]


def test_a_check_of_ones_own_makes_the_probe_say_unhealthy_too(tmp_path: Path) -> None:
    check, settings = tmp_path / "checks.d" / "raid", tmp_path / "agent.yaml"
    check.parent.mkdir(mode=0o755)
    check.write_text("#!/bin/sh\necho md0 is degraded; exit 2\n")
    check.chmod(0o755)
    settings.write_text(f"probes: {{custom: {{directory: {check.parent}}}}}")
    (tmp_path / "rules").mkdir()
    rule = (ROOT / "rules" / "custom" / "custom-check-critical.yaml").read_text()
    (tmp_path / "rules" / "rule.yaml").write_text(rule)

    answer = nodemend("probe", "--config", str(settings), "--rules", str(tmp_path / "rules"))

    assert answer.returncode == 1
    assert "message=md0 is degraded status=critical" in " ".join(answer.stdout.split())
    assert "custom-check-critical: custom.check of raid is 2" in answer.stdout


def test_patterns_of_ones_own_are_checked_beside_the_rules(tmp_path: Path) -> None:
    shipped = ROOT / "rules" / "kernel" / "storage-adapters_patterns.yaml"
    bad = tmp_path / "bad_patterns.yaml"
    bad.write_text(shipped.read_text().replace("'^", "'"))

    good, broken = nodemend("rules", "check", str(shipped)), nodemend("rules", "check", str(bad))

    assert (good.returncode, good.stdout) == (0, "2 patterns of the kernel's log are good.\n")
    assert broken.returncode == 2
    assert f"{bad}.spec.patterns[0].line: expected ^" in broken.stderr
    assert f"{bad}.spec.patterns[1].line: expected ^" in broken.stderr


def test_the_remediator_waits_for_a_server_that_is_away_and_ends_when_told(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    kubeconfig.write_text(json.dumps(config))
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nodemend", "remediator", "--kubeconfig", str(kubeconfig)],
            stderr=out,
            cwd=ROOT,
        )
        started = time.monotonic()
        while "may be stale" not in log.read_text() and time.monotonic() < started + 30:
            process.poll()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=15)

    assert code == 0
    assert "Traceback" not in log.read_text()


def test_a_root_that_is_no_host_is_not_taken_for_a_healthy_one(tmp_path: Path) -> None:
    answer = nodemend("probe", "--root", str(tmp_path))

    assert answer.returncode == 2
    assert "expected the root directory of a host" in answer.stderr
