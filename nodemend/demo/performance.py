"""The demo from the command line's side: rules and files before, a summary and a report after."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from agent import settings
from nodehealth import quantities
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodemend import paper, probe, shipped, verdicts
from nodemend.demo import gpubox, haste, play, realhost, stage
from nodemend.demo.report import Report
from nodemend.demo.scene import Options
from nodemend.demo.stage import Stage
from nodemend.paper import Paper
from remediator import files
from remediator.rules import load
from remediator.rules.rule import RuleSet

_GPU_SIGNAL: Final = "gpu.recovery_action"
"""What is wrong with the GPU of the demo: nothing goes wrong that no rule would mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person who typed the command wants."""

    nodes: int
    scenario: Path | None = None
    rules: Path | None = None
    """Rules to judge by as they are; else the shipped ones, in haste."""
    most: str = "3m"
    report: Path | None = None
    plain: bool = False
    """Lines even where a screen could be shown."""


def perform(wishes: Wishes, console: Paper) -> bool:
    """Play the demo and say whether it went well.

    Raises:
        nodehealth.kit.settings.SettingsError: an option or the scenario makes no sense.
        remediator.rules.documents.ProblemsError: the rules can't be used.
        nodemend.demo.scene.DemoError: the demo could not go on.
        nodemend.demo.play.EndedError: somebody ended it.
        nodemend.demo.namespaces.NoNamespaceError: no filesystem can be mounted here.
    """
    lasting = _lasting(wishes.most)
    _check_writable(wishes.report)
    with tempfile.TemporaryDirectory(prefix="nodemend-demo-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        rules = _rules(folder, wishes.rules, console)
        chosen = _stage(wishes, lasting, rules, console)
        (folder / load.POLICY_FILE).write_text(chosen.policy, encoding="utf-8")
        (folder / "scratch").mkdir()
        options = Options(
            stage=chosen,
            rules=rules,
            policy=load.policy(folder / load.POLICY_FILE, files.sink),
            folder=folder,
            most=lasting,
            live=console.is_terminal and not wishes.plain,
        )
        result = asyncio.run(play.play(options, console))
    paper.put(_summary(result), console)
    if wishes.report is not None:
        text = msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
        wishes.report.write_bytes(text)
        console.print(f"The report is in {wishes.report}.")
    return result.is_good()


def _lasting(most: str) -> timedelta:
    try:
        return quantities.duration(most)
    except ValueError as wrong:
        raise SettingsError(f"--for: {wrong}") from wrong


def _check_writable(report: Path | None) -> None:
    """Refuse a report that nobody could write, before anything is begun."""
    if report is None:
        return
    there = report.exists()
    try:
        with report.open("ab"):
            pass
    except OSError as unwritable:
        fact = unwritable.strerror
        raise SettingsError(f"--report {report}: expected a file to write, {fact}") from unwritable
    if not there:
        report.unlink()


def _stage(wishes: Wishes, lasting: timedelta, rules: RuleSet, console: Console) -> Stage:
    real = stage.real_name()
    if wishes.scenario is not None:
        return stage.from_file(wishes.scenario, real, lasting)
    asked = {each.signal.name for rule in rules.rules if rule.ladder for each in rule.questions}
    box = gpubox.NODE if _GPU_SIGNAL in asked else ""
    if box and not shutil.which("gcc"):
        console.print(f"Leaves out {box}, a machine with GPUs: its driver is built by gcc.")
        box = ""
    return stage.default(wishes.nodes, real, lasting, asked, box=box)


def _rules(folder: Path, rules: Path | None, console: Console) -> RuleSet:
    """Lay out the rules that are judged by."""
    to = folder / "rules"
    to.mkdir()
    if rules is not None:
        if not load.rules(rules, files.remedy).rules:
            raise SettingsError(f"--rules {rules}: expected a directory with rules, found no rule")
        for each in load.rule_files(rules):
            shutil.copyfile(each, to / load.flat(each, rules))
    else:
        console.print(f"Judges by {haste.SAID}.")
        haste.copied(shipped.RULES, to, _held_already(folder, console))
    return load.rules(to, files.remedy)


def _held_already(folder: Path, console: Console) -> Collection[str]:
    """Name the rules that hold on this machine anyway: replacing it in a play would not help."""
    config = folder / "agent.yaml"
    config.write_text(realhost.settings("/"), encoding="utf-8")
    with console.status("measures this machine …"):
        status = asyncio.run(probe.sweep_once(settings.load(os.environ, file=config))).status
    known = load.rules(shipped.RULES, files.remedy)
    suspected = verdicts.suspected(status, known, clocks.wall())
    found = {name: mark for name, mark in suspected.items() if known.by_name[name].ladder}
    for name, mark in found.items():
        evidence = "; ".join(mark.evidence)
        console.print(f"Leaves out rule {name}, for it holds here anyway: {evidence}.")
    return found.keys()


def _summary(result: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_row("nodes", f"{result.nodes}; faults that befell them: {result.faults}")
    table.add_row("repairs", _counted(result.repairs, "") or "none")
    table.add_row("held back", _counted(result.held, "by ") or "none")
    most = ", ".join(f"{count} in {scope}" for scope, count in result.most_disrupted.items())
    table.add_row("disrupted at once", most or "none")
    table.add_row("report to cordon", _latency(result))
    table.add_row("this machine", f"{result.real_node.outcome}: {result.real_node.fault_source}")
    table.add_row("broken promises", "\n".join(result.violations) or "none")
    table.add_row("verdict", f"{_verdict(result)}, in {result.seconds:g} s")
    return table


def _verdict(result: Report) -> str:
    if result.unfinished:
        return f"not every repair ended: {'; '.join(result.unfinished)}"
    return (
        "a promise was broken" if result.violations else "every repair ended, no limit was broken"
    )


def _counted(counts: Mapping[str, int], by: str) -> str:
    return ", ".join(f"{count} {by}{name}" for name, count in sorted(counts.items()))


def _latency(result: Report) -> str:
    known = result.latency_ms
    if not known.samples:
        return "not measured"
    return f"{known.p50:g} ms (p50), {known.p99:g} ms (p99) over {known.samples}"
