"""A NodeHealth as those keep it who keep one of every node: what is said of many is held once.

Five thousand nodes of eight GPUs have two million levels. Here those that differ in nothing but
their subject stay one level, and a word that many nodes use is one word.
"""

from collections.abc import Iterator
from sys import intern
from typing import Final, TypeAlias

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


class KeptStatus(NodeHealthStatus, frozen=True, kw_only=True):
    """A report whose levels may be about more than one subject: look at `more_subjects`, too."""

    def unpacked(self) -> tuple[Level, ...]:
        """Return the levels with as many subjects each as it is true of, in order of their names.

        Of one subject nothing is said twice. Who says more than is read is unpacked as usual.
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
        return tuple(level for name in sorted(known) for level in known[name].levels)


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
        self._name, self._subjects = intern(name), set[str]()
        self.levels: list[Level] = []

    def add(self, level: Level, value: float | None, about: tuple[_Spoken, ...]) -> None:
        for fields, names in about:
            new = names
            if not self._subjects.isdisjoint(names):
                new = tuple(name for name in names if name not in self._subjects)
            if new:
                self._subjects.update(new)
                self.levels.append(
                    Level(
                        name=self._name,
                        subject=new[0],
                        more_subjects=new[1:],
                        value=value,
                        fields=fields,
                        since=level.since,
                        knowledge=level.knowledge,
                        flips=level.flips,
                        also=_NOTHING,
                    )
                )


_NOTHING: Final[dict[str, float | None]] = {}
"""One for all: a level of its own has nothing else to say."""


def _spoken(level: Level, status: NodeHealthStatus) -> Iterator[_Spoken]:
    """Gather the subjects of a level by what is said of them, each subject once."""
    alike: dict[int, tuple[Fields, list[str]]] = {}
    seen = set[str]()
    for subject, fields in subjects(level, status):
        if subject not in seen:
            seen.add(subject)
            alike.setdefault(id(fields), (fields, []))[1].append(intern(subject))
    for fields, names in alike.values():
        yield fields, tuple(names)
