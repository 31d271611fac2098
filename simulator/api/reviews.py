"""Questions about callers that are asked by creating an object: who is this, may I do that."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from simulator.api import wire
from simulator.api.calls import Call, User
from simulator.api.kinds import Kind
from simulator.api.rights import Access, Rights
from simulator.api.tokens import AUDIENCE, Tokens
from simulator.api.wire import JsonObject

Review: TypeAlias = Callable[[Call, JsonObject], JsonObject]
"""Answers a review with its status."""

_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"


def _kind(group: str, plural: str, kind: str) -> Kind:
    return Kind(
        group=group,
        version="v1",
        plural=plural,
        singular=kind.lower(),
        kind=kind,
        namespaced=False,
        verbs=("create",),
    )


KINDS: Final = (
    _kind(_AUTHENTICATION, "tokenreviews", "TokenReview"),
    _kind(_AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview"),
    _kind(_AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _kind(_AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview"),
)


def reviews(tokens: Tokens, rights: Rights | None) -> Mapping[str, Review]:
    """Return the reviews by the name of their resource; without rights all is allowed."""

    def token(_call: Call, body: JsonObject) -> JsonObject:
        user = tokens.user(wire.text(body, "spec", "token"))
        if user is None:
            return {"user": {}, "error": "[invalid bearer token, unknown or expired]"}
        audiences = wire.section(body, "spec").get("audiences") or [AUDIENCE]
        return {"authenticated": True, "user": _wire(user), "audiences": audiences}

    def myself(call: Call, body: JsonObject) -> JsonObject:
        return _allowed(rights, call.user, body)

    def somebody(_call: Call, body: JsonObject) -> JsonObject:
        spec = wire.section(body, "spec")
        groups = tuple(map(str, spec.get("groups") or ()))
        return _allowed(rights, User(name=str(spec.get("user", "")), groups=groups), body)

    return {
        "tokenreviews.authentication.k8s.io": token,
        "selfsubjectreviews.authentication.k8s.io": _myself,
        "selfsubjectaccessreviews.authorization.k8s.io": myself,
        "subjectaccessreviews.authorization.k8s.io": somebody,
    }


def _myself(call: Call, _body: JsonObject) -> JsonObject:
    return {"userInfo": _wire(call.user)}


def _allowed(rights: Rights | None, user: User, body: JsonObject) -> JsonObject:
    if rights is None:
        reason = "this server lets everybody that it knows do everything"
        return {"allowed": True, "reason": reason}
    asked = wire.section(body, "spec", "resourceAttributes")
    part = f"/{asked['subresource']}" if asked.get("subresource") else ""
    access = Access(
        verb=wire.text(asked, "verb"),
        group=wire.text(asked, "group"),
        resource=wire.text(asked, "resource") + part,
        namespace=wire.text(asked, "namespace"),
        name=wire.text(asked, "name"),
    )
    return {"allowed": rights.allow(user, access)}


def _wire(user: User) -> JsonObject:
    extra = {key: list(values) for key, values in user.extra.items()}
    found = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {key: value for key, value in found.items() if value}
