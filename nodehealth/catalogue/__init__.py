"""The catalogue: every signal that an agent or the remediator states and a rule may ask for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nodehealth.catalogue import cloud, custom, gpu, kernel, machine, node
from nodehealth.signals import Signal

CATALOGUE: Final[Mapping[str, Signal]] = MappingProxyType(
    {
        each.name: each
        for module in (machine, kernel, gpu, cloud, custom, node)
        for each in module.SIGNALS
    }
)
