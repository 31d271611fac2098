"""Whether the kubelet and the container runtime of the node answer, if that is asked for."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.signals import Knowledge

KUBELET: Final = "runtime.kubelet_down"
CONTAINERD: Final = "runtime.containerd_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime(Probe):
    """Asks the kubelet and the container runtime whether they are there; neither unless told to."""

    kubelet: bool = False
    """Whether to ask the kubelet: needs the network of the host."""
    kubelet_url: str = "http://127.0.0.1:10248/healthz"
    containerd: bool = False
    """Whether to ask the container runtime."""
    containerd_socket: str = "/run/containerd/containerd.sock"
    """Its socket on the host; that of another runtime, such as CRI-O, answers likewise."""
    patience: timedelta = timedelta(seconds=5)
    """How long either may take to answer."""

    def __post_init__(self) -> None:
        """Refuse a URL that cannot be asked.

        Raises:
            ValueError: it is none of plain HTTP.
        """
        where = urlsplit(self.kubelet_url)
        if where.scheme != "http" or not where.hostname:
            raise ValueError(f"expected a kubelet-url over http, got {self.kubelet_url!r}")

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Ask both at the same time."""
        asked = {}
        if self.kubelet:
            asked[KUBELET] = host.http(self.kubelet_url, patience=self.patience)
        if self.containerd:
            asked[CONTAINERD] = host.http2(self.containerd_socket, patience=self.patience)
        answers = await asyncio.gather(*asked.values())
        return list(_told(dict(zip(asked, answers, strict=True)), past))


def _told(answers: dict[str, str], past: Past) -> Iterator[Reading]:
    """Say of each why it is down: one that never was up in this boot cannot be."""
    for name, why in answers.items():
        before = past.get((name, ""))
        was_up = before is not None and before.value is not None
        if why and not was_up:
            yield Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
        else:
            yield Reading(name=name, value=float(bool(why)), fields={"why": why})
