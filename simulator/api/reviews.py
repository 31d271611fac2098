"""Questions about callers that are asked by creating an object: who is this, may I do that."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from simulator.api import wire
from simulator.api.calls import Call, User
from simulator.api.kinds import Kind
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


def reviews(tokens: Tokens) -> Mapping[str, Review]:
    """Return the reviews by the name of their resource."""

    def token(_call: Call, body: JsonObject) -> JsonObject:
        user = tokens.user(wire.text(body, "spec", "token"))
        if user is None:
            return {"user": {}, "error": "[invalid bearer token, unknown or expired]"}
        audiences = wire.section(body, "spec").get("audiences") or [AUDIENCE]
        return {"authenticated": True, "user": _wire(user), "audiences": audiences}

    return {
        "tokenreviews.authentication.k8s.io": token,
        "selfsubjectreviews.authentication.k8s.io": _myself,
        "selfsubjectaccessreviews.authorization.k8s.io": _allowed,
        "subjectaccessreviews.authorization.k8s.io": _allowed,
    }


def _myself(call: Call, _body: JsonObject) -> JsonObject:
    return {"userInfo": _wire(call.user)}


def _allowed(_call: Call, _body: JsonObject) -> JsonObject:
    return {"allowed": True, "reason": "this server lets everybody that it knows do everything"}


def _wire(user: User) -> JsonObject:
    extra = {key: list(values) for key, values in user.extra.items()}
    found = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {key: value for key, value in found.items() if value}
