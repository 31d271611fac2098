"""Paths that are no objects: what is served, which version, and how the server feels."""

from collections.abc import Iterable, Mapping
from typing import Final

from nodehealth.kube.transport import Request
from simulator.api import answers
from simulator.api.answers import Outcome
from simulator.api.calls import User
from simulator.api.kinds import Kind, Registry
from simulator.api.wire import JsonObject

VERSION: Final = "v1.32.0"
_HEALTH: Final = frozenset({"/healthz", "/livez", "/readyz"})
_OPEN: Final = frozenset({*_HEALTH, "/version"})
_AGGREGATED: Final = "apidiscovery.k8s.io"
_SUBRESOURCES: Final = {
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "binding": ("", "v1", "Binding", ("create",)),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "finalize": ("", "v1", "Namespace", ("update",)),
}


class Discovery:
    """Tells clients what there is."""

    def __init__(self, kinds: Registry) -> None:
        self._kinds = kinds

    def answer(self, request: Request, user: User | None) -> Outcome | None:
        """Answer a request for anything but objects; None if it is for objects."""
        path = request.path.rstrip("/")
        if user is None and path not in _OPEN:
            return None
        if path in _HEALTH:
            return answers.text("ok")
        fixed = {
            "/version": _version,
            "/api": self._core,
            "/apis": self._groups,
        }.get(path)
        if fixed is not None:
            return self._aggregated(path, request) or answers.of(fixed())
        return self._below(path.strip("/").split("/"))

    def _below(self, parts: list[str]) -> Outcome | None:
        match parts:
            case ["api", version]:
                return self._resources("", version)
            case ["apis", group]:
                return self._group(group)
            case ["apis", group, version]:
                return self._resources(group, version)
            case ["openapi", *rest]:
                return self._openapi(rest)
        return None

    def _core(self) -> JsonObject:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
        face = {"kind": "APIVersions", "versions": ["v1"]}
        return {**face, "serverAddressByClientCIDRs": addresses}

    def _groups(self) -> JsonObject:
        groups = [_described(name, versions) for name, versions in self._versions().items() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _group(self, group: str) -> Outcome | None:
        versions = self._versions().get(group)
        if versions is None:
            return None
        return answers.of({"kind": "APIGroup", "apiVersion": "v1", **_described(group, versions)})

    def _versions(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for kind in self._kinds:
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return found

    def _in(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self._kinds if (kind.group, kind.version) == (group, version)]

    def _resources(self, group: str, version: str) -> Outcome | None:
        kinds = self._in(group, version)
        if not kinds:
            return None
        listed = [entry for kind in kinds for entry in _entries(kind)]
        face = {"kind": "APIResourceList", "apiVersion": "v1"}
        served = f"{group}/{version}" if group else version
        return answers.of({**face, "groupVersion": served, "resources": listed})

    def _aggregated(self, path: str, request: Request) -> Outcome | None:
        version = _wanted(request.headers)
        if not version or path == "/version":
            return None
        names = [name for name in self._versions() if bool(name) == (path == "/apis")]
        groups = [self._whole_group(name) for name in names]
        face = {"kind": "APIGroupDiscoveryList", "apiVersion": f"{_AGGREGATED}/{version}"}
        media = f"application/json;g={_AGGREGATED};v={version};as=APIGroupDiscoveryList"
        found = answers.of({**face, "metadata": {}, "items": groups})
        return answers.with_headers(found, {"content-type": media})

    def _whole_group(self, group: str) -> JsonObject:
        versions = [
            {
                "version": version,
                "resources": [_whole(kind) for kind in self._in(group, version)],
                "freshness": "Current",
            }
            for version in self._versions()[group]
        ]
        return {"metadata": {"name": group, "creationTimestamp": None}, "versions": versions}

    def _openapi(self, rest: Iterable[str]) -> Outcome | None:
        match list(rest):
            case ["v2"]:
                media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
                return Outcome(code=200, headers={"content-type": media})
            case ["v3"]:
                return answers.of({"paths": {}})
        return None


def _wanted(headers: Mapping[str, str]) -> str:
    """Return the version of aggregated discovery that is accepted; empty for none."""
    for wanted in headers.get("accept", "").split(","):
        named = dict(part.strip().partition("=")[::2] for part in wanted.split(";")[1:])
        if named.get("g") == _AGGREGATED and named.get("v") in {"v2", "v2beta1"}:
            return named["v"]
    return ""


def _version() -> JsonObject:
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{VERSION}+nodemend-emulator",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def _described(group: str, versions: Iterable[str]) -> JsonObject:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _entries(kind: Kind) -> list[JsonObject]:
    entry = {
        "name": kind.plural,
        "singularName": kind.singular or kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
    }
    main = {key: value for key, value in entry.items() if value not in ([], "")}
    return [main, *(_sub_entry(kind, name) for name in sorted(kind.subresources))]


def _sub_entry(kind: Kind, name: str) -> JsonObject:
    group, version, shown, verbs = _SUBRESOURCES.get(
        name, ("", "", kind.kind, ("get", "patch", "update"))
    )
    entry: JsonObject = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": shown,
        "verbs": list(verbs),
    }
    if name in _SUBRESOURCES:
        entry.update({"group": group, "version": version} if group else {})
    return entry


def _whole(kind: Kind) -> JsonObject:
    entry = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular or kind.kind.lower(),
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "subresources": [_whole_sub(kind, name) for name in sorted(kind.subresources)],
    }
    return {key: value for key, value in entry.items() if value not in ([], "")}


def _whole_sub(kind: Kind, name: str) -> JsonObject:
    group, version, shown, verbs = _SUBRESOURCES.get(
        name, (kind.group, kind.version, kind.kind, ("get", "patch", "update"))
    )
    shape = {"group": group, "version": version, "kind": shown}
    return {"subresource": name, "responseKind": shape, "verbs": list(verbs)}
