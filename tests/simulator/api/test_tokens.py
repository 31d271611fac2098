"""Bearer tokens: who they stand for and when they stop to."""

import pytest

from nodehealth.kube.transport import Request
from simulator.api.calls import User
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import Watchmaker

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def agent(direct: Direct) -> JsonObject:
    """A pod of the account `agent` on a node."""
    direct.create("nodes", {"metadata": {"name": "n1"}})
    direct.create("serviceaccounts", {"metadata": {"name": "agent"}}, namespace="nodemend")
    container = {"name": "c", "image": "i"}
    spec = {"nodeName": "n1", "serviceAccountName": "agent", "containers": [container]}
    return direct.create("pods", {"metadata": {"name": "p"}, "spec": spec}, namespace="nodemend")


def bound(direct: Direct, **reference: str) -> str:
    """Ask for a token that is bound to the pod."""
    about = {"kind": "Pod", "apiVersion": "v1", "name": "p", **reference}
    path = direct.path("serviceaccounts", "nodemend", "agent", "token")
    found = direct.ask("POST", path, {"spec": {"boundObjectRef": about}})
    token: str = found["status"]["token"]
    return token


def review(direct: Direct, token: str) -> JsonObject:
    """Ask who a token stands for."""
    found: JsonObject = direct.ask("POST", REVIEWS, {"spec": {"token": token}})["status"]
    return found


def code(api: ApiServer, token: str) -> int:
    """Return the code of a request with a token."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return api.respond(Request(method="GET", path="/api/v1/nodes", headers=headers)).code


def test_a_bound_token_names_its_pod_and_node(direct: Direct, agent: JsonObject) -> None:
    status = review(direct, bound(direct))

    node = direct.get("nodes", "n1")
    assert status["authenticated"] is True
    assert status["user"]["username"] == "system:serviceaccount:nodemend:agent"
    extra = status["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["p"]
    assert extra["authentication.kubernetes.io/pod-uid"] == [agent["metadata"]["uid"]]
    assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
    assert extra["authentication.kubernetes.io/node-uid"] == [node["metadata"]["uid"]]


def test_a_bound_token_dies_with_its_pod(api: ApiServer, direct: Direct, agent: JsonObject) -> None:
    token = bound(direct, uid=agent["metadata"]["uid"])
    assert code(api, token) == 200

    options = {"gracePeriodSeconds": 0}
    direct.delete("pods", "p", namespace="nodemend", options=options)

    assert code(api, token) == 401
    assert "authenticated" not in review(direct, token)


@pytest.mark.usefixtures("agent")
def test_a_token_dies_of_age(api: ApiServer, direct: Direct, clock: Watchmaker) -> None:
    token = bound(direct)

    clock.wait(3600)

    assert code(api, token) == 401


@pytest.mark.usefixtures("agent")
def test_a_token_is_not_bound_to_another_pod(direct: Direct) -> None:
    with pytest.raises(StatusError, match="does not match the UID") as refused:
        bound(direct, uid="other")

    assert refused.value.code == 409


@pytest.mark.parametrize("token", ["", "guess", "a.b.c", "é"])
def test_strangers_are_401(api: ApiServer, token: str) -> None:
    assert code(api, token) == 401


def test_a_forged_token_is_401(api: ApiServer, direct: Direct, agent: JsonObject) -> None:
    del agent
    head, claims, signature = bound(direct).split(".")

    assert code(api, f"{head}.{claims}A.{signature}") == 401


def test_fixed_tokens_can_be_chosen(clock: Watchmaker) -> None:
    api = ApiServer(clock=clock, tokens={"secret": User(name="me")})

    assert code(api, "secret") == 200
    assert code(api, "admin-token") == 401


def test_everybody_may_ask_how_the_server_feels(api: ApiServer) -> None:
    assert api.respond(Request(method="GET", path="/readyz")).body() == b"ok"
