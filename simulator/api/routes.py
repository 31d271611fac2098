"""Where a path leads: which kind, which object, which subresource, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.api import status
from simulator.api.kinds import Kind, Registry

_NAMESPACE_PARTS: Final = frozenset({"status", "finalize"})
_ON_ONE: Final = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ON_MANY: Final = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path that leads to objects."""

    kind: Kind
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(kinds: Registry, method: str, path: str, query: Mapping[str, str]) -> Route | None:
    """Return where a path leads; None if it is no path of objects.

    Raises:
        simulator.api.status.StatusError: 404 or 405, it would be one but nothing is there.
    """
    parts = path.strip("/").split("/")
    match parts:
        case ["api", version, *rest] if rest:
            return _route(kinds, ("", version), rest, method, query)
        case ["apis", group, version, *rest] if rest:
            return _route(kinds, (group, version), rest, method, query)
    return None


def _route(
    kinds: Registry,
    place: tuple[str, str],
    rest: Sequence[str],
    method: str,
    query: Mapping[str, str],
) -> Route:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", ""][:3]
    kind = kinds.at(*place, plural)
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise status.no_such_path()
    if subresource and subresource not in kind.subresources:
        raise status.no_such_path()
    if name and kind.namespaced and not namespace:
        raise status.no_such_path()
    verb = _verb(method, query, name=name, subresource=subresource)
    if verb not in kind.verbs:
        raise status.not_allowed()
    return Route(kind=kind, verb=verb, namespace=namespace, name=name, subresource=subresource)


def _verb(method: str, query: Mapping[str, str], *, name: str, subresource: str) -> str:
    if method == "GET" and not subresource and query.get("watch") in {"1", "true"}:
        return "watch"
    if method == "POST" and name and subresource:
        return "create"
    return (_ON_ONE if name else _ON_MANY).get(method, "")
