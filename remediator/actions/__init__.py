"""One rung of a ladder a file; an action is found by its module's name.

An action is one frozen dataclass: its fields are the settings that a rule's ladder may give, its
parameters are what it works with. `run` is called again and again until it is done or has failed,
after a crash too, so doing it twice must be as good as doing it once.
"""

import abc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, TypeAlias

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.providers import Provider
from remediator.rules.policy import DrainManners


class SupersededError(Exception):
    """Somebody else moved on: what we were about to do is not ours to do any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The rung did its work."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """The rung is under way; run it again after a while."""

    message: str
    again: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The rung can't do its work; the ladder goes on above it."""

    message: str


Progress: TypeAlias = Done | Going | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an action works with."""

    client: Client
    clock: Clock
    provider: Provider | None
    manners: DrainManners
    guard: Callable[[], Awaitable[None]]
    """Checks that this repair may disrupt its node at this moment; awaited right before a deed."""
    record: Callable[[NodeRepairStatus], Awaitable[NodeRepair]]
    """Writes the repair's status, and returns the repair as written; fails if somebody else did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(abc.ABC):
    """One remedy."""

    phase: ClassVar[Phase] = Phase.REPAIRING
    mends: ClassVar[bool] = True
    """Whether the node may be well afterwards; an action that only prepares says no."""

    @abc.abstractmethod
    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Do what can be done now.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is run again later.
            SupersededError: the guard found that it is not ours to do.
        """
