"""The catalogue: every signal that an agent or the remediator states and a rule may ask for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nodehealth.catalogue import gpu, machine, node
from nodehealth.signals import Signal

CATALOGUE: Final[Mapping[str, Signal]] = MappingProxyType(
    {each.name: each for each in (*machine.SIGNALS, *gpu.SIGNALS, *node.SIGNALS)}
)
