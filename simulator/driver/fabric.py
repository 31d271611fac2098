"""Which GPUs of a machine are linked, and so concern each other when one is reset."""

from typing import Final

from simulator.driver.recording import PCI
from simulator.driver.state import State

_GPU: Final = 0
_SWITCH: Final = 2
_TYPES: Final = "nvmlDeviceGetNvLinkRemoteDeviceType"
_PEERS: Final = "nvmlDeviceGetNvLinkRemotePciInfo_v2"


def domain(state: State, gpu: int) -> frozenset[int]:
    """Return the GPU, and all that are linked with it directly or over switches."""
    if _is_on_switch(state, gpu):
        return frozenset(other for other in range(len(state.gpus)) if _is_on_switch(state, other))
    return direct_peers(state, gpu) | {gpu}


def direct_peers(state: State, gpu: int) -> frozenset[int]:
    """Return the GPUs at the other ends of its links."""
    peers = dict(_by_link(state, gpu, _PEERS))
    addresses = {peers.get(link) for link, kind in _by_link(state, gpu, _TYPES) if kind == _GPU}
    return frozenset(
        other for other, answers in enumerate(state.gpus) if answers[PCI]["busId"] in addresses
    )


def _is_on_switch(state: State, gpu: int) -> bool:
    return any(kind == _SWITCH for _, kind in _by_link(state, gpu, _TYPES))


def _by_link(state: State, gpu: int, function: str) -> list[tuple[str, object]]:
    answers = state.gpus[gpu].get(function) or {}
    return [(link, answer) for link, answer in answers.items() if link.isdigit()]
