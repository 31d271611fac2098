"""Which Node the agent speaks for."""

import base64
import binascii

import msgspec

from nodehealth.kit.settings import SettingsError


class IdentityError(SettingsError):
    """It is not clear which Node the agent speaks for."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The Node that a token is bound to."""

    name: str = ""
    uid: str = ""


class _Bindings(msgspec.Struct, frozen=True, kw_only=True):
    node: Claim = Claim()


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    bindings: _Bindings = msgspec.field(default=_Bindings(), name="kubernetes.io")


def claimed(token: str) -> Claim:
    """Read which Node a pod-bound service account token names; nothing is verified here.

    The API server verifies it with every request. It names the Node since Kubernetes 1.30.
    """
    parts = token.strip().split(".")
    if len(parts) != 3:
        return Claim()
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        payload = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Payload)
    except (binascii.Error, msgspec.DecodeError):
        return Claim()
    return payload.bindings.node


def settled(*, node: str, node_uid: str, token: str) -> Claim:
    """Take what was set, and the token's word for what was not.

    Raises:
        IdentityError: one of them is missing, or they contradict each other.
    """
    claim = claimed(token)
    if node and claim.name and node != claim.name:
        raise IdentityError(
            f"node name: expected {claim.name}, which the agent's token is bound to, got {node}"
        )
    settled_claim = Claim(name=node or claim.name, uid=node_uid or claim.uid)
    if not settled_claim.name:
        raise IdentityError("node name: expected --node or NODE_NAME, got neither")
    if not settled_claim.uid:
        raise IdentityError(
            "node UID: expected --node-uid, NODE_UID or a token that names the pod's Node "
            "(Kubernetes 1.30 and later), got none of them"
        )
    return settled_claim
