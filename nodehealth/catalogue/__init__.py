"""The catalogue: every signal that an agent or the remediator states and a rule may ask for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nodehealth.catalogue import (
    clock,
    cloud,
    custom,
    fabric,
    gpu,
    hardware,
    kernel,
    limits,
    machine,
    network,
    node,
    runtime,
    storage,
)
from nodehealth.signals import Signal

_MODULES: Final = (
    machine,
    storage,
    network,
    fabric,
    hardware,
    kernel,
    limits,
    clock,
    gpu,
    cloud,
    custom,
    runtime,
    node,
)

CATALOGUE: Final[Mapping[str, Signal]] = MappingProxyType(
    {each.name: each for module in _MODULES for each in module.SIGNALS}
)
