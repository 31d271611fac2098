"""How a request to the API server is spelt: its query, its headers, the bodies of its verbs."""

import dataclasses
from collections.abc import Mapping
from typing import Final

import msgspec

from nodehealth.kube.objects import PODS, Object, Resource, T
from nodehealth.kube.transport import Request

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"


def query(**parameters: str) -> dict[str, str]:
    """Leave out what is empty."""
    return {name: value for name, value in parameters.items() if value}


def reading(path: str, parameters: Mapping[str, str], *, manager: str) -> Request:
    """Ask for something."""
    headers = {"accept": JSON, "user-agent": manager}
    return Request(method="GET", path=path, query=parameters, headers=headers)


def writing(
    method: str, path: str, body: object, *, manager: str, content_type: str = JSON
) -> Request:
    """Change something, under a manager's name."""
    return Request(
        method=method,
        path=path,
        query={"fieldManager": manager},
        headers={"accept": JSON, "user-agent": manager, "content-type": content_type},
        body=msgspec.json.encode(body),
    )


def deleting(path: str, options: Mapping[str, object], *, manager: str) -> Request:
    """Delete something; the API knows no manager here."""
    return Request(
        method="DELETE",
        path=path,
        headers={"accept": JSON, "user-agent": manager, "content-type": JSON},
        body=msgspec.json.encode(options),
    )


def evicting(
    namespace: str, name: str, options: Mapping[str, object], *, dry_run: bool, manager: str
) -> Request:
    """Ask for a pod to be deleted as its disruption budgets allow.

    A rehearsal says so twice: admission reads the query, the eviction itself reads the body.
    """
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {**options, "dryRun": ["All"]} if dry_run else options,
    }
    path = PODS.path(namespace, name, "eviction")
    request = writing("POST", path, body, manager=manager)
    parameters = {**request.query, "dryRun": "All"} if dry_run else request.query
    return dataclasses.replace(request, query=parameters)


def binding(
    namespace: str, name: str, uid: str, node: str, *, resource_version: str = "", manager: str
) -> Request:
    """Give a pod to a node, if it is still the one that is meant and on no node yet."""
    meta = {"name": name, "namespace": namespace, "uid": uid}
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": meta | ({"resourceVersion": resource_version} if resource_version else {}),
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    return writing("POST", PODS.path(namespace, name, "binding"), body, manager=manager)


def complete(resource: Resource[T], body: T | Mapping[str, object]) -> object:
    """Add the kind to an object, which the server insists on for custom resources."""
    if isinstance(body, Object):
        return msgspec.structs.replace(body, api_version=resource.api_version, kind=resource.kind)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def delete_options(
    *, uid: str = "", resource_version: str = "", grace_seconds: int | None = None
) -> dict[str, object]:
    """Say which object is meant, and how much time a pod has to end."""
    options: dict[str, object] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    preconditions = query(uid=uid, resourceVersion=resource_version)
    if preconditions:
        options["preconditions"] = preconditions
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return options
