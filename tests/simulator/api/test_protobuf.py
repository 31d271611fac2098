"""Bodies as newer kubectl sends them."""

import pytest

from nodehealth.kube.transport import Request
from simulator.api import protobuf
from simulator.api.server import ApiServer

CONFIG_MAP = bytes.fromhex(
    "6b3873000a0f0a02763112 09436f6e6669674d6170"
    "121d0a130a03666f6f12001a0022002a00320038004200 12060a01611201 62 1a002200".replace(" ", "")
)
"""What `kubectl create configmap foo --from-literal=a=b` sends."""


def field(number: int, value: bytes | int) -> bytes:
    """Write one field."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def message(version: bytes, kind: bytes, body: bytes) -> bytes:
    """Put a body into the envelope."""
    return b"k8s\x00" + field(1, field(1, version) + field(2, kind)) + field(2, body)


def test_what_kubectl_sends_is_read() -> None:
    assert protobuf.decode(CONFIG_MAP) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "foo"},
        "data": {"a": "b"},
    }


def test_an_eviction_with_options_is_read() -> None:
    uid = field(2, field(1, b"u"))
    options = field(1, 0) + uid + field(5, b"All")
    body = field(1, field(1, b"p")) + field(2, options)

    found = protobuf.decode(message(b"policy/v1", b"Eviction", body))

    assert found["metadata"] == {"name": "p"}
    assert found["deleteOptions"] == {
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "dryRun": ["All"],
    }


def test_a_percentage_is_read() -> None:
    percent = field(2, field(1, field(1, 1) + field(3, b"30%")))

    found = protobuf.decode(message(b"policy/v1", b"PodDisruptionBudget", percent))

    assert found["spec"] == {"minAvailable": "30%"}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        message(b"apps/v1", b"Deployment", b""),
        message(b"v1", b"ConfigMap", field(9, b"lost")),
        message(b"v1", b"ConfigMap", b"\x80"),
    ],
    ids=["no envelope", "unknown kind", "unknown field", "cut off"],
)
def test_what_would_be_lost_is_refused(api: ApiServer, body: bytes) -> None:
    request = Request(
        method="POST",
        path="/api/v1/namespaces/default/configmaps",
        headers={"content-type": protobuf.MEDIA, "authorization": "Bearer admin-token"},
        body=body,
    )

    assert api.respond(request).code == 415
