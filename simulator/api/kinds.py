"""What a kind of object is to the API server, and the registry of those that it serves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from simulator.api import wire
from simulator.api.wire import JsonObject

EVERYWHERE: Final = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
FLAGS: Final = frozenset({"spec.unschedulable", "spec.hostNetwork"})
"""Fields that are selected as `false` where they are absent."""

ALL_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


class Generation(StrEnum):
    """What raises an object's metadata.generation."""

    NEVER = "never"
    SPEC = "spec"
    EVERYTHING = "everything"
    """Whatever is outside metadata, and outside status where that is a subresource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a printed table."""

    name: str
    path: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """What only a kind from a CustomResourceDefinition has."""

    schema: JsonObject
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object: its names, its subresources, and the rules that its writes follow."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    generation: Generation = Generation.NEVER
    unconditional: bool = True
    """Whether a PUT without a resourceVersion is taken."""
    creates_on_update: bool = False
    keeps_status: bool = False
    """Whether a status given at creation is kept although it is a subresource."""
    returns_deleted: bool = False
    """Whether DELETE answers with the object that is gone, and not with a Status."""
    selectable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verbs: tuple[str, ...] = ALL_VERBS
    custom: Custom | None = None

    @property
    def api_version(self) -> str:
        """Return `v1` for the core group and `group/version` for every other."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Return the name that messages use and objects are kept under, as `leases.group`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> str:
        """Return the name that validation messages use, as `Lease.group`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        """Return the fields that selectors may name, and where they are."""
        return {**EVERYWHERE, **self.selectable}

    @property
    def head(self) -> int:
        """Return how many bytes `{"apiVersion":…,"kind":…,` takes at the start of an object."""
        return len(wire.encode({"apiVersion": self.api_version, "kind": self.kind}))

    @property
    def status_apart(self) -> bool:
        """Tell whether status is written through a subresource."""
        return "status" in self.subresources

    def key(self, namespace: str, name: str) -> str:
        """Return the key of an object: keys sort as lists are ordered."""
        return f"{namespace}/{name}" if self.namespaced else name

    def index(self, value: JsonObject) -> dict[str, str]:
        """Extract the fields that selectors may name."""
        found = {name: wire.text(value, *path) for name, path in self.fields.items()}
        for name in FLAGS & found.keys():
            found[name] = found[name] or "false"
        return found


class Registry:
    """The kinds that are served now."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = dict(kinds)
        self._places = {(kind.group, kind.version, kind.plural): kind for kind in kinds.values()}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def add(self, kind: Kind) -> None:
        """Serve a kind, or serve it differently."""
        self.drop(kind.resource)
        self._kinds[kind.resource] = kind
        self._places[kind.group, kind.version, kind.plural] = kind

    def drop(self, resource: str) -> None:
        """Serve a kind no longer."""
        known = self._kinds.pop(resource, None)
        if known is not None:
            del self._places[known.group, known.version, known.plural]

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind that is served at a place in the API."""
        return self._places.get((group, version, plural))

    def find(self, resource: str) -> Kind | None:
        """Return a kind by its resource name, if it is served."""
        return self._kinds.get(resource)

    def named(self, resource: str) -> Kind:
        """Return a kind by its resource name, such as `leases.coordination.k8s.io`."""
        return self._kinds[resource]

    def of(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind of an object by what stands on its face."""
        found = (known for known in self if (known.api_version, known.kind) == (api_version, kind))
        return next(found, None)
