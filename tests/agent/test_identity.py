"""The agent knows for which Node it speaks, or says what is missing."""

import base64
import json

import pytest

from agent import identity
from agent.identity import Claim, IdentityError


def token(payload: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


BOUND = token(
    {
        "aud": ["https://kubernetes.default.svc"],
        "kubernetes.io": {
            "namespace": "nodemend",
            "node": {"name": "n1", "uid": "u1"},
            "pod": {"name": "nodemend-agent-x", "uid": "p1"},
        },
        "sub": "system:serviceaccount:nodemend:nodemend-agent",
    }
)


def test_a_pods_token_names_its_node() -> None:
    assert identity.settled(node="", node_uid="", token=BOUND) == Claim(name="n1", uid="u1")


def test_what_was_set_is_enough_without_a_token() -> None:
    assert identity.settled(node="n2", node_uid="u2", token="") == Claim(name="n2", uid="u2")


def test_the_token_says_what_was_not_set() -> None:
    assert identity.settled(node="n1", node_uid="", token=BOUND) == Claim(name="n1", uid="u1")


@pytest.mark.parametrize(
    "other", ["", "opaque", "a.b.c", "e30.!!!.x", token([1]), token({"kubernetes.io": 3})]
)
def test_a_token_of_another_make_names_nobody(other: str) -> None:
    assert identity.claimed(other) == Claim()


def test_a_token_of_another_node_is_refused_before_the_api_server_does() -> None:
    with pytest.raises(IdentityError, match=r"expected n1, which the agent's token .* got n2"):
        identity.settled(node="n2", node_uid="u2", token=BOUND)


def test_a_missing_name_is_said() -> None:
    with pytest.raises(IdentityError, match="node name: expected --node or NODE_NAME"):
        identity.settled(node="", node_uid="u", token="")


def test_a_missing_uid_is_said() -> None:
    with pytest.raises(IdentityError, match="node UID: expected --node-uid, NODE_UID or a token"):
        identity.settled(node="n", node_uid="", token="")
