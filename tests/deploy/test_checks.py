"""Checks of the operator's own reach the agent where it looks for them, if they are asked for."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent import settings
from agent.host.checks import process, trust
from agent.host.checks.process import Bounds
from agent.host.linux import ENVIRONMENT
from agent.probes.custom import Custom
from tests.deploy.manifests import DEPLOY, configmaps, kustomization, named, templates

CHECKS = DEPLOY / "checks"
PROGRAMS = sorted((CHECKS / "checks.d").iterdir())


def patch() -> dict[str, Any]:
    """Return what is added to the agent's pod."""
    (name,) = kustomization(CHECKS)["patchesStrategicMerge"]
    document = yaml.safe_load((CHECKS / name).read_text(encoding="utf-8"))
    base = named(DEPLOY / "daemonset", "DaemonSet")["metadata"]
    assert document["metadata"] == {each: base[each] for each in ("name", "namespace")}
    found: dict[str, Any] = document["spec"]["template"]["spec"]
    return found


def looks_in() -> str:
    """Return where the agent of the DaemonSet looks for checks."""
    (file,) = configmaps(DEPLOY / "daemonset")["nodemend-agent"].values()
    probe = settings.load({}, file=file).probes["custom"]
    assert isinstance(probe, Custom)
    return probe.directory


def test_checks_are_mounted_where_the_agent_looks_for_them() -> None:
    (container,) = patch()["containers"]
    mounts = {each["name"]: each for each in container["volumeMounts"]}

    assert mounts["checks"]["mountPath"] == looks_in()
    assert mounts["checks"]["readOnly"]


def test_checks_are_executable_and_nobody_may_write_to_them() -> None:
    volumes = {each["name"]: each for each in patch()["volumes"]}

    assert volumes["checks"]["configMap"] == {"name": "nodemend-checks", "defaultMode": 0o555}


def test_every_check_that_lies_there_is_listed() -> None:
    assert sorted(configmaps(CHECKS)["nodemend-checks"].values()) == PROGRAMS


def test_an_agent_without_them_mounts_none() -> None:
    (pod,) = templates(DEPLOY / "daemonset")

    assert not [each for each in pod["volumes"] if each["name"] == "checks"]


def test_the_patch_changes_the_container_that_there_is() -> None:
    (pod,) = templates(DEPLOY / "daemonset")
    (patched,) = patch()["containers"]

    assert [each["name"] for each in pod["containers"]] == [patched["name"]]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_a_shipped_check_runs_as_the_agent_runs_it(program: Path) -> None:
    bounds = Bounds(timeout=timedelta(seconds=30), memory=2**28, environment=ENVIRONMENT)

    ended = process.run((str(program),), bounds)

    assert ended.code in {0, 1, 2}
    assert ended.said
    assert program.stat().st_mode & 0o111


def test_a_check_that_anybody_could_change_would_be_refused(tmp_path: Path) -> None:
    program = tmp_path / "uptime"
    program.write_bytes(PROGRAMS[0].read_bytes())
    program.chmod(0o777)

    assert trust.refusal(program)
