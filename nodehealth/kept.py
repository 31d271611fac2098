"""A NodeHealth as those keep it who keep one of every node: packed, until somebody asks.

Five thousand nodes of eight GPUs have two million levels, and nearly all of them say for days what
they said before. Two reports whose packed levels are the same bytes say the same of every part.
"""

import zlib
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec
from msgspec import structs

from nodehealth.health import (
    MOST_SAID,
    NODE_HEALTHS,
    Fields,
    Level,
    NodeHealth,
    NodeHealthStatus,
    subjects,
)
from nodehealth.kube.objects import Resource

_Spoken: TypeAlias = tuple[Fields, tuple[str, ...]]
"""Subjects of which the same fields are said."""
_NOTHING: Final[dict[str, float | None]] = {}
"""One for all: a level of its own has nothing else to say."""
_QUICK: Final = 1
"""A report shrinks to a third at once, and hardly further however long one tries."""


class _Levels(NodeHealthStatus, frozen=True, kw_only=True):
    """Nothing but levels, each perhaps about several subjects: look at `more_subjects`, too."""

    def unpacked(self) -> tuple[Level, ...]:
        """Return a level for all subjects of which the same is said, in order of name and subject.

        Who says more than is read is unpacked as usual, for what is left out to be the same.
        """
        spoken = [tuple(_spoken(level, self)) for level in self.levels]
        said = (
            (1 + len(level.also)) * sum(len(each) for _, each in about)
            for level, about in zip(self.levels, spoken, strict=True)
        )
        if sum(said) > MOST_SAID:
            return super().unpacked()
        known = dict[str, _Known]()
        for level, about in zip(self.levels, spoken, strict=True):
            for name, value in {level.name: level.value, **level.also}.items():
                known.setdefault(name, _Known(name)).add(level, value, about)
        return tuple(level for name in sorted(known) for level in known[name].ordered())


_LEVELS: Final = msgspec.json.Decoder(_Levels)


class KeptStatus(NodeHealthStatus, frozen=True, kw_only=True):
    """A report whose levels are packed: `levels` is empty, `said` tells them."""

    packed: bytes = b""
    """The levels and their tables; never read off the wire."""

    def __post_init__(self) -> None:
        """Pack the levels, and tell everything else as usual."""
        whole = {"levels": self.levels, "subjects": self.subjects, "fieldSets": self.field_sets}
        packed = zlib.compress(msgspec.json.encode(whole), _QUICK) if self.levels else b""
        structs.force_setattr(self, "packed", packed)
        structs.force_setattr(self, "levels", ())
        super().__post_init__()

    def said(self) -> tuple[Level, ...]:
        """Return the levels, unpacked no further than to those that differ in more than subject."""
        return _LEVELS.decode(zlib.decompress(self.packed)).levels if self.packed else ()

    def says_the_same(self, other: NodeHealthStatus) -> bool:
        """Compare the levels without unpacking them: what is packed otherwise is taken as other."""
        return isinstance(other, KeptStatus) and self.packed == other.packed


class KeptHealth(NodeHealth, frozen=True, kw_only=True):
    """Facts about one node, as they are kept."""

    status: KeptStatus = KeptStatus()


KEPT_HEALTHS: Final = Resource(
    group=NODE_HEALTHS.group,
    version=NODE_HEALTHS.version,
    plural=NODE_HEALTHS.plural,
    kind=NODE_HEALTHS.kind,
    namespaced=NODE_HEALTHS.namespaced,
    type=KeptHealth,
)


class _Known:
    """What is known of one signal: of two that speak of one subject the first holds."""

    def __init__(self, name: str) -> None:
        self._name, self._subjects = name, set[str]()
        self._levels: list[Level] = []

    def ordered(self) -> list[Level]:
        return sorted(self._levels, key=lambda level: level.subject)

    def add(self, level: Level, value: float | None, about: tuple[_Spoken, ...]) -> None:
        for fields, names in about:
            new = names
            if not self._subjects.isdisjoint(names):
                new = tuple(name for name in names if name not in self._subjects)
            if new:
                self._subjects.update(new)
                self._levels.append(self._level(level, value, fields, new))

    def _level(
        self, level: Level, value: float | None, fields: Fields, names: tuple[str, ...]
    ) -> Level:
        return Level(
            name=self._name,
            subject=names[0],
            more_subjects=names[1:],
            value=value,
            fields=fields,
            since=level.since,
            knowledge=level.knowledge,
            flips=level.flips,
            also=_NOTHING,
        )


def _spoken(level: Level, status: NodeHealthStatus) -> Iterator[_Spoken]:
    """Gather the subjects of a level by what is said of them, each subject once."""
    alike: dict[int, tuple[Fields, list[str]]] = {}
    seen = set[str]()
    for subject, fields in subjects(level, status):
        if subject not in seen:
            seen.add(subject)
            alike.setdefault(id(fields), (fields, []))[1].append(subject)
    for fields, names in alike.values():
        yield fields, tuple(sorted(names))
