"""Every wall stands: the tree keeps all contracts, and each contract sees its own breach."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.repository import ROOT

CONFIG: Final = ".importlinter"
LINTER: Final = Path(sys.executable).with_name("lint-imports")
UNSHIPPED: Final = {"bench"}
VERDICT: Final = re.compile(r"^(?P<name>.+) (?P<verdict>KEPT|BROKEN)(?: \(.*\))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One line where it must not be, or one file where nobody expects it."""

    contract: str
    file: str
    line: str = ""


BREACHES: Final = (
    Breach(contract="programs", file="nodehealth/keys.py", line="import agent"),
    Breach(contract="programs", file="remediator/tell.py", line="import simulator.api.wire"),
    Breach(contract="programs", file="agent/main.py", line="import remediator.rules.rule"),
    Breach(contract="programs", file="simulator/fault.py", line="import nodemend"),
    Breach(
        contract="nodehealth", file="nodehealth/kube/events.py", line="import nodehealth.repair"
    ),
    Breach(contract="nodehealth", file="nodehealth/astray.py"),
    Breach(
        contract="kube", file="nodehealth/kube/official.py", line="import nodehealth.kube.lease"
    ),
    Breach(contract="kube", file="nodehealth/kube/astray.py"),
    Breach(contract="cel", file="nodehealth/cel/syntax.py", line="import nodehealth.cel.overloads"),
    Breach(contract="cel", file="nodehealth/cel/astray.py"),
    Breach(contract="agent", file="agent/publish.py", line="import agent.monitor"),
    Breach(contract="agent", file="agent/astray.py"),
    Breach(contract="remediator", file="remediator/observe.py", line="import remediator.act"),
    Breach(contract="remediator", file="remediator/rules/rule.py", line="import remediator.decide"),
    Breach(contract="remediator", file="remediator/astray.py"),
    Breach(contract="simulator", file="simulator/api/store.py", line="import simulator.records"),
    Breach(contract="simulator", file="simulator/machines.py", line="import simulator.kubelets"),
    Breach(contract="simulator", file="simulator/astray.py"),
    Breach(contract="nodemend", file="nodemend/shipped.py", line="import nodemend.probe"),
    Breach(contract="nodemend", file="nodemend/astray.py"),
    Breach(contract="pure", file="remediator/decide/plan.py", line="import random"),
    Breach(contract="pure", file="remediator/decide/judge.py", line="import logging"),
    Breach(contract="pure", file="remediator/rules/rule.py", line="import pathlib"),
    Breach(
        contract="pure", file="remediator/decide/limits.py", line="import nodehealth.kube.client"
    ),
    Breach(contract="pure", file="nodehealth/signals.py", line="import time"),
    Breach(contract="aiohttp", file="remediator/act.py", line="import aiohttp"),
    Breach(contract="aiohttp", file="nodehealth/kube/client.py", line="import yarl"),
    Breach(contract="aiohttp", file="simulator/api/server.py", line="import aiohttp.web"),
    Breach(contract="ssl", file="simulator/api/server.py", line="import ssl"),
    Breach(contract="official", file="remediator/observe.py", line="import kubernetes.client"),
    Breach(contract="terminal", file="remediator/tell.py", line="import rich"),
    Breach(contract="terminal", file="simulator/scenario.py", line="import typer"),
    Breach(contract="machine", file="nodemend/probe.py", line="import psutil"),
    Breach(contract="machine", file="agent/monitor.py", line="import pynvml"),
    Breach(contract="probes", file="agent/probes/filesystems.py", line="import os"),
    Breach(
        contract="probes", file="agent/probes/filesystems.py", line="import nodehealth.kube.client"
    ),
    Breach(contract="light", file="agent/state.py", line="import sqlalchemy"),
    Breach(
        contract="extensions",
        file="remediator/reconcile.py",
        line="import remediator.actions.drain",
    ),
    Breach(
        contract="extensions",
        file="remediator/actions/drain.py",
        line="import remediator.actions.replace",
    ),
    Breach(contract="extensions", file="agent/settings.py", line="import agent.probes.filesystems"),
    Breach(contract="shipped", file="simulator/hooks.py", line="import bench"),
    Breach(contract="shipped", file="nodemend/probe.py", line="import tests.builders"),
    Breach(contract="circles", file="simulator/api/wire.py", line="import simulator.api.world"),
)


def contracts() -> dict[str, str]:
    """Return the contracts' names by their ids."""
    parser = configparser.ConfigParser()
    parser.read_string((ROOT / CONFIG).read_text())
    prefix = "importlinter:contract:"
    return {
        section.removeprefix(prefix): parser[section]["name"]
        for section in parser.sections()
        if section.startswith(prefix)
    }


def packages() -> set[str]:
    """Return the packages at the top of the tree that are shipped."""
    return {folder.parent.name for folder in ROOT.glob("*/__init__.py")} - UNSHIPPED


def verdicts(tree: Path) -> dict[str, str]:
    """Judge a tree: KEPT or BROKEN by the name of each contract."""
    judged = subprocess.run(
        [LINTER, "--no-cache", "--no-logo"],
        cwd=tree,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = {match["name"]: match["verdict"] for match in VERDICT.finditer(judged.stdout)}
    assert found, judged.stdout + judged.stderr
    assert (judged.returncode == 0) == ("BROKEN" not in found.values())
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages and their contracts."""
    shutil.copy(ROOT / CONFIG, tmp_path)
    for package in packages():
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=without)
    return tmp_path


def test_the_tree_keeps_every_contract() -> None:
    assert verdicts(ROOT) == dict.fromkeys(contracts().values(), "KEPT")


def test_every_package_stands_under_the_contracts() -> None:
    parser = configparser.ConfigParser()
    parser.read_string((ROOT / CONFIG).read_text())

    assert set(parser["importlinter"]["root_packages"].split()) == packages()


@pytest.mark.parametrize("breach", BREACHES, ids=lambda each: f"{each.contract}-{each.file}")
def test_a_breach_breaks_its_contract_and_no_other(breach: Breach, tree: Path) -> None:
    with (tree / breach.file).open("a") as file:
        file.write(f"\n{breach.line}\n")

    broken = {name for name, verdict in verdicts(tree).items() if verdict == "BROKEN"}

    assert broken == {contracts()[breach.contract]}


def test_every_contract_is_breached_by_some_test() -> None:
    assert {breach.contract for breach in BREACHES} == set(contracts())
