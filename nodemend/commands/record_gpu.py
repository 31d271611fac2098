"""`nodemend record-gpu`: what this machine's GPUs say, as a file for the stand-in driver."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
import yaml
from rich.console import Console

from agent import main, settings
from agent.host.nvml import recording
from agent.host.nvml.facts import Driver, Gpus
from agent.host.nvml.recording import Recording
from agent.settings import Settings
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodemend import complaints

_PATIENCE: Final = timedelta(seconds=45)


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("record-gpu")(record_gpu)


def record_gpu(
    *,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else it is written here.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Where the host's root directory is mounted.")
    ] = None,
    library: Annotated[
        str, typer.Option(help="The folder of the host in which libnvidia-ml.so.1 lies.")
    ] = "",
) -> None:
    """Write down what this machine's NVIDIA GPUs say, but not whose they are.

    Only what reads is called. UUIDs and serials are replaced, each by the same one throughout.
    """
    with complaints.said():
        typed = {"NVML_LIBRARIES": library, "HOST_ROOT": f"{root or ''}"}
        environ = {**os.environ, **{name: said for name, said in typed.items() if said}}
        chosen = settings.load(environ)
        settings.check_root(chosen)
        with Console(stderr=True).status("asks every GPU …"):
            found = asyncio.run(_ask(chosen))
        text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)
        _write(text, out)


async def _ask(chosen: Settings) -> Recording:
    nvml = main.watch(chosen, clock=clocks.wall)
    if nvml is None:
        raise SettingsError("nvml: expected it to be on, got off")
    try:
        await nvml.sample(_PATIENCE)
        gpus = nvml.gpus()
        _check(gpus, chosen)
        return recording.recorded(gpus, nvml.missing())
    finally:
        await nvml.close()


def _check(gpus: Gpus, chosen: Settings) -> None:
    """Make sure that there is something to record."""
    seen = f"{len(gpus.bus.gpus)} NVIDIA GPUs on the PCI bus"
    if gpus.driver is not Driver.UP:
        why = f", NVML returned {gpus.code}" if gpus.code else ""
        raise SettingsError(
            f"{chosen.root}: expected a driver that is up, found it {gpus.driver}{why}, with {seen}"
        )
    if not any(card.uuid for card in gpus.cards):
        raise SettingsError(f"{chosen.root}: expected GPUs that answer, found none, with {seen}")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise SettingsError(f"{out}: expected a file to write, {refused.strerror}") from refused
