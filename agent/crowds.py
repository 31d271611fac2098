"""Which events are one of many alike, so that no crowd of them pushes out the one that matters.

One bad cable makes events of every link, and bad programs make every code that they can; an XID
that tells of a lost GPU comes once. So what happened to each subject is kept once before the same
at other places of it, and before what bad programs do.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from agent import mishaps
from agent.host import nvlink5
from nodehealth.health import Event, Fields

PLACES: Final = frozenset({"link", "unit"})
"""Fields that say at which part of a subject it happened."""
MOST_PLACES: Final = 3
"""Of how many places of one subject the same is told apart; of all others it is told together."""
FEW: Final = 8
"""How many XIDs for which nobody would mend a GPU are no crowd."""


def without_places(fields: Fields) -> Fields:
    """Return the fields that do not say where it happened."""
    return {name: value for name, value in fields.items() if name not in PLACES}


def crowding(events: Sequence[Event]) -> Mapping[int, int]:
    """Return for each event, by its index, how little it would be missed: 0 if it stands alone."""
    seen, found = Counter[tuple[object, ...]](), dict[int, int]()
    for at in sorted(range(len(events)), key=lambda at: until(events[at]), reverse=True):
        event = events[at]
        is_noise = _is_noise(event.name, event.fields)
        told = () if is_noise else (event.subject, *without_places(event.fields).items())
        newer = seen[event.name, *told]
        found[at] = 1 + newer // FEW if is_noise else newer
        seen[event.name, *told] += 1
    return found


def _is_noise(name: str, fields: Fields) -> bool:
    """Say whether it is an XID for which nobody would mend a GPU."""
    is_light = "Nonfatal" in fields.values() or nvlink5.IGNORE in fields.values()
    return name == mishaps.XID and (is_light or fields.get("code") in mishaps.OF_APPLICATIONS)


def until(event: Event) -> datetime:
    """Return when an event happened last."""
    return event.history.until or datetime.min.replace(tzinfo=UTC)
