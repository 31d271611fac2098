"""How one object does one deed on a node, at most once: made idle, claimed by its UID, let go.

An object that does nothing when it is made may be made as late as a request likes to arrive. Only
the one whose UID is written down in the repair is ever let go, by that UID.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeAlias, TypeVar

from nodehealth.kube.objects import Object

START_PATIENCE: Final = timedelta(minutes=3)
"""How long a node may take to start what is sent to it: an image may have to come first."""

Envoy = TypeVar("Envoy", bound=Object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Make the object, which does nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Generic[Envoy]):
    """Write down that this object may be let go, and let it go."""

    envoy: Envoy


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Generic[Envoy]):
    """Let the object go that is claimed."""

    envoy: Envoy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Generic[Envoy]):
    """Call an object back, so that it never does anything, or does it no longer."""

    envoy: Envoy
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Look again soon."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed:
    """The deed is done."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The deed came to nothing."""

    message: str


Outcome: TypeAlias = Wait | Succeed | GiveUp
Step: TypeAlias = Make | Claim[Envoy] | Start[Envoy] | Stop[Envoy] | Outcome
