"""Who a bearer token stands for: fixed tokens, and those of service accounts bound to pods."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from simulator.api import names, status, wire
from simulator.api.calls import Call, User
from simulator.api.wire import JsonObject
from simulator.api.world import World

AUDIENCE: Final = "https://kubernetes.default.svc.cluster.local"
_PREFIX: Final = "authentication.kubernetes.io"
_SHORTEST: Final = 600
_DEFAULT: Final = 3600


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Makes and reads bearer tokens."""

    def __init__(self, world: World, fixed: Mapping[str, User]) -> None:
        self._world = world
        self._fixed = dict(fixed)
        self._secret = world.random.randbytes(32)

    def user(self, token: str) -> User | None:
        """Return who holds a token; None if it is not, or no longer, good."""
        return self._fixed.get(token) or self._account(token)

    def request(self, call: Call, body: JsonObject) -> JsonObject:
        """Make a token for a service account, as the TokenRequest in the body wants it.

        Raises:
            simulator.api.status.StatusError: the account or the pod is not there, or another one.
        """
        account = self._world.find(call.kind, call.namespace, call.name)
        if account is None:
            raise status.not_found("serviceaccounts", call.name)
        spec = wire.made(body, "spec")
        seconds = int(spec.get("expirationSeconds") or _DEFAULT)
        if seconds < _SHORTEST:
            rule = "may not specify a duration less than 10 minutes"
            cause = names.bad_value("spec.expirationSeconds", seconds, rule)
            raise status.invalid("TokenRequest.authentication.k8s.io", "", [cause])
        audiences = list(spec.get("audiences") or [AUDIENCE])
        bound = self._bound(call, wire.section(spec, "boundObjectRef"))
        expires = call.at + timedelta(seconds=seconds)
        claims: JsonObject = {
            "aud": audiences,
            "exp": int(expires.timestamp()),
            "iat": int(call.at.timestamp()),
            "iss": AUDIENCE,
            "jti": self._world.uid(),
            "kubernetes.io": {
                "namespace": call.namespace,
                **bound,
                "serviceaccount": {"name": call.name, "uid": account["metadata"]["uid"]},
            },
            "sub": f"system:serviceaccount:{call.namespace}:{call.name}",
        }
        issued = {"token": self._signed(claims), "expirationTimestamp": wire.timestamp(expires)}
        wanted = {**spec, "audiences": audiences, "expirationSeconds": seconds}
        face = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        metadata = {"name": call.name, "namespace": call.namespace}
        return {**face, "metadata": metadata, "spec": wanted, "status": issued}

    def _bound(self, call: Call, reference: JsonObject) -> JsonObject:
        if not reference:
            return {}
        if reference.get("kind") != "Pod":
            raise status.bad_request(f"cannot bind token to object of type {reference.get('kind')}")
        name = str(reference.get("name", ""))
        pod = self._world.find(self._world.kinds.named("pods"), call.namespace, name)
        if pod is None:
            raise status.not_found("pods", name)
        uid, account = pod["metadata"]["uid"], wire.text(pod, "spec", "serviceAccountName")
        if reference.get("uid") not in {None, "", uid}:
            why = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the "
                f"UID in record. The object might have been deleted and then recreated"
            )
            raise status.conflict("pods", name, why)
        if account != call.name:
            raise status.bad_request(
                f'cannot bind token for serviceaccount "{call.name}" to pod running with '
                f'different serviceaccount name "{account}"'
            )
        return {"pod": {"name": name, "uid": uid}, **self._node(pod)}

    def _node(self, pod: JsonObject) -> JsonObject:
        name = wire.text(pod, "spec", "nodeName")
        if not name:
            return {}
        node = self._world.find(self._world.kinds.named("nodes"), "", name)
        uid = {} if node is None else {"uid": node["metadata"]["uid"]}
        return {"node": {"name": name, **uid}}

    def _signed(self, claims: JsonObject) -> str:
        head = _packed(wire.encode({"alg": "HS256", "typ": "JWT"}))
        body = f"{head}.{_packed(wire.encode(claims))}"
        return f"{body}.{_packed(self._signature(body))}"

    def _signature(self, body: str) -> bytes:
        return hmac.digest(self._secret, body.encode(), hashlib.sha256)

    def _claims(self, token: str) -> JsonObject | None:
        body, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(_unpacked(signature), self._signature(body)):
                return None
            return wire.load(_unpacked(body.partition(".")[2]))
        except (binascii.Error, ValueError, TypeError):
            return None

    def _account(self, token: str) -> User | None:
        claims = self._claims(token)
        if claims is None or claims["exp"] <= self._world.clock().timestamp():
            return None
        about = claims["kubernetes.io"]
        namespace, account = about["namespace"], about["serviceaccount"]
        if not self._lives("serviceaccounts", namespace, account):
            return None
        pod, node = about.get("pod"), about.get("node")
        if pod is not None and not self._lives("pods", namespace, pod):
            return None
        extra = {f"{_PREFIX}/credential-id": (f"JTI={claims['jti']}",)}
        for kind, found in (("node", node), ("pod", pod)):
            for field, value in (found or {}).items():
                extra[f"{_PREFIX}/{kind}-{field}"] = (value,)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return User(
            name=claims["sub"],
            uid=account["uid"],
            groups=(*groups, "system:authenticated"),
            extra=extra,
        )

    def _lives(self, resource: str, namespace: str, meant: JsonObject) -> bool:
        found = self._world.find(self._world.kinds.named(resource), namespace, meant["name"])
        return found is not None and found["metadata"]["uid"] == meant["uid"]
