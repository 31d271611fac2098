"""Runs benchmarks by name and prints their figures as JSON: `python -m bench emulator`."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from bench import benchmark, cores
from bench.benchmark import Scale, Site
from bench.figures import Figure, Figures
from bench.server import MeasurementError
from nodehealth.kit.settings import SettingsError


def _arguments() -> argparse.Namespace:
    known = ", ".join(benchmark.names())
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{known}; all of them if none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--nodes", type=int, default=Scale().nodes, help="of the emulator")
    parser.add_argument("--pods", type=int, default=Scale().pods, help="of the emulator")
    return parser.parse_args()


async def measured(names: list[str], scale: Scale, folder: Path) -> Figures:
    """Measure one after the other, each server on a core of its own."""
    chosen = {name: benchmark.named(name) for name in names or benchmark.names()}
    found: dict[str, Figure] = {"machine": cores.machine()}
    with cores.one_apart() as core:
        for name, each in chosen.items():
            place = folder / name
            await asyncio.to_thread(place.mkdir)
            found[name] = await each.measure(Site(scale=scale, folder=place, core=core))
    return {**found, "load_1m_at_end": cores.machine()["load_1m"]}


async def _until_told(names: list[str], scale: Scale, folder: Path) -> Figures:
    """Measure; end what was started when we are told to end."""
    task = asyncio.ensure_future(measured(names, scale, folder))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def main() -> None:
    """Do what the command line says."""
    told = _arguments()
    scale = Scale(nodes=told.nodes, pods=told.pods)
    try:
        with tempfile.TemporaryDirectory(prefix="nodemend-bench-") as folder:
            found = asyncio.run(_until_told(told.names, scale, Path(folder)))
    except (SettingsError, MeasurementError) as wrong:
        sys.exit(f"bench: {wrong}")
    except asyncio.CancelledError:
        sys.exit("bench: was told to end")
    text = msgspec.json.format(msgspec.json.encode(found), indent=2)
    sys.stdout.buffer.write(text + b"\n")
    if told.json is not None:
        told.json.write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
