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
    types = state.gpus[gpu].get(_TYPES) or {}
    peers = state.gpus[gpu].get(_PEERS) or {}
    addresses = {peers.get(link) for link, kind in types.items() if kind == _GPU}
    return frozenset(
        other for other, answers in enumerate(state.gpus) if answers[PCI]["busId"] in addresses
    )


def _is_on_switch(state: State, gpu: int) -> bool:
    return _SWITCH in (state.gpus[gpu].get(_TYPES) or {}).values()
