"""The demo from the command line's side: files before, a summary and a report after."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from nodehealth import quantities
from nodehealth.kit.settings import SettingsError
from nodemend.demo import play, stage
from nodemend.demo.play import Options
from nodemend.demo.report import Report
from remediator import main
from remediator.rules import load


def perform(
    *,
    nodes: int,
    scenario: Path | None,
    rules: Path,
    most: str,
    report: Path | None,
    console: Console,
) -> bool:
    """Play the demo and say whether it went well.

    Raises:
        nodehealth.kit.settings.SettingsError: an option or the scenario makes no sense.
        remediator.rules.documents.ProblemsError: the rules can't be used.
        nodemend.demo.play.DemoError: the demo could not go on.
        nodemend.demo.realhost.NoNamespaceError: no filesystem can be mounted here.
    """
    load.rules(rules, main.remedy)
    try:
        lasting = quantities.duration(most)
    except ValueError as wrong:
        raise SettingsError(f"--for: {wrong}") from wrong
    real = stage.real_name()
    plan = stage.from_file(scenario, real) if scenario else stage.default(nodes, real)
    with tempfile.TemporaryDirectory(prefix="nodemend-demo-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        (folder / "policy.yaml").write_text(stage.POLICY, encoding="utf-8")
        (folder / "scratch").mkdir()
        options = Options(rules=rules.resolve(), folder=folder, plan=plan, real=real, most=lasting)
        result = asyncio.run(play.play(options, console))
    console.print(_summary(result))
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
        console.print(f"The report is in {report}.")
    return result.is_good()


def _summary(result: Report) -> Table:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    outcomes = ", ".join(f"{count} {phase}" for phase, count in sorted(result.repairs.items()))
    held = ", ".join(f"{count} by {reason}" for reason, count in sorted(result.held.items()))
    table.add_row("nodes", f"{result.nodes}, {result.faults} of them fell sick")
    table.add_row("repairs", outcomes or "none")
    table.add_row("held back", held or "none")
    table.add_row("this machine", f"{result.real_node.outcome}: {result.real_node.fault_source}")
    table.add_row("broken promises", "\n".join(result.violations) or "none")
    verdict = "every repair ended well" if result.is_good() else "not every repair ended well"
    table.add_row("verdict", f"{verdict}, in {result.seconds:g} s")
    return table
