"""Who keeps a GPU from being reset."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from agent.host.holders import Holder
from nodemend.mending.sight import Gpu

YIELDING: Final = frozenset({"nvidia-persiste", "nv-fabricmanage", "nvlsm"})
"""Daemons of the driver itself that hold devices and need not go, as the kernel cuts their names.

nvidia-smi asks the persistence daemon over its socket to let go, and takes up with it again
afterwards; the fabric manager is even needed for a reset of one GPU on switches before Hopper.
"""

_ONE_GPU: Final = re.compile(r"nvidia\d+|dri/.+")
_SHOWN: Final = 8


def standing_in_the_way(
    holders: Iterable[Holder], gpus: Collection[Gpu], cards: Collection[str] = ()
) -> tuple[Holder, ...]:
    """Return the processes that must end before some GPUs can be reset.

    It counts who has a device of these GPUs open. Devices that all GPUs share, such as nvidiactl
    and nvidia-uvm, count where the process holds no GPU's own: nobody can tell which one it is
    about to use. Who has other GPUs open, and none of these, is busy with those.

    Args:
        holders: Who holds what.
        gpus: Those that are to be reset.
        cards: The graphics devices of these GPUs, such as dri/card1.
    """
    own = {f"nvidia{each.minor}" for each in gpus if each.minor is not None} | set(cards)
    return tuple(
        each
        for each in holders
        if each.name not in YIELDING and (each.devices & own or not _is_busy_elsewhere(each))
    )


def told(holders: Sequence[Holder]) -> str:
    """Name processes for people."""
    named = [_named(each) for each in holders[:_SHOWN]]
    more = len(holders) - len(named)
    return ", ".join([*named, f"and {more} more"] if more else named)


def _is_busy_elsewhere(holder: Holder) -> bool:
    return any(_ONE_GPU.fullmatch(each) for each in holder.devices)


def _named(holder: Holder) -> str:
    stuck = ", asleep in the kernel" if holder.state == "D" else ""
    return f"{holder.pid} {holder.name} ({', '.join(sorted(holder.devices))}{stuck})"
