"""A kubelet and a runtime whose process is really stopped are down until it is continued."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host.linux import Host
from agent.probes.containers import LIST, Containers
from agent.probes.runtime import CONTAINERD, KUBELET, Runtime
from tests.agent.real.stage import ROOT
from tests.agent.watched import Watch

SOON: Final = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Services:
    """All of them, in one process."""

    process: subprocess.Popen[bytes]
    port: int
    host: Host


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A machine on which they run."""
    (tmp_path / "run").mkdir()
    words = [sys.executable, "-m", "tests.agent.real.serving", str(tmp_path / "run")]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Services(process=process, port=port, host=Host(root=tmp_path))
        finally:
            process.kill()


async def test_a_kubelet_and_a_runtime_that_are_stopped_are_down(services: Services) -> None:
    probe = Runtime(
        kubelet=True,
        kubelet_url=f"http://127.0.0.1:{services.port}/healthz",
        containerd=True,
        containerd_socket="/run/pinged.sock",
        patience=SOON,
    )
    watch, seen = Watch(probe, services.host), list[object]()
    for each in (signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT):
        services.process.send_signal(each)
        told = await watch.look()
        seen.append((told[KUBELET, ""], told[CONTAINERD, ""]))

    assert seen == [(0, 0), (1, 1), (0, 0)]


async def test_a_runtime_that_is_stopped_takes_long_to_list_and_then_does_not(
    services: Services,
) -> None:
    probe = Containers(sockets=("/run/asked.sock",), patience=timedelta(seconds=8))
    watch, seen = Watch(probe, services.host), list[object]()
    for each in (signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT):
        services.process.send_signal(each)
        told = await watch.look()
        seen.append((told[LIST, ""], told["runtime.not_ready", ""]))

    assert seen == [(0, 0), (5, "unknown"), (0, 0)]
