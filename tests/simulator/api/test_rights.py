"""Who may do what, once roles are held to."""

import pytest

from simulator.api.calls import User
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import Watchmaker

RBAC = "rbac.authorization.k8s.io"
JANE = User(name="jane", groups=("sre", "system:authenticated"))
ACCOUNT = User(name="system:serviceaccount:default:robot", groups=("system:authenticated",))
SUBJECTS: dict[str, JsonObject] = {
    "jane": {"kind": "User", "name": "jane"},
    "sre": {"kind": "Group", "name": "sre"},
    "robot": {"kind": "ServiceAccount", "name": "robot", "namespace": "default"},
}


@pytest.fixture
def api(clock: Watchmaker) -> ApiServer:
    """A server that lets nobody do more than is granted."""
    return ApiServer(clock=clock, rbac=True)


def grant(direct: Direct, subject: str, namespace: str = "", **rule: list[str]) -> None:
    """Let somebody do something, everywhere or in a namespace."""
    kind = "Role" if namespace else "ClusterRole"
    rules = [{"apiGroups": [""], **rule}]
    metadata = {"name": "r", "namespace": namespace} if namespace else {"name": "r"}
    direct.create(f"{kind.lower()}s.{RBAC}", {"metadata": dict(metadata), "rules": rules})
    binding = {
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": "r"},
        "subjects": [SUBJECTS[subject]],
    }
    direct.create(f"{kind.lower()}bindings.{RBAC}", binding)


def test_without_a_grant_nothing_is_allowed(api: ApiServer) -> None:
    with pytest.raises(StatusError) as refused:
        Direct(api, user=JANE).get("nodes", "n1")

    assert refused.value.code == 403
    assert refused.value.message == (
        'nodes "n1" is forbidden: User "jane" cannot get resource "nodes" in API group "" '
        "at the cluster scope"
    )


@pytest.mark.parametrize(("subject", "user"), [("jane", JANE), ("sre", JANE), ("robot", ACCOUNT)])
def test_users_groups_and_accounts_may_do_what_they_are_granted(
    api: ApiServer, direct: Direct, subject: str, user: User
) -> None:
    grant(direct, subject, resources=["nodes"], verbs=["list"])

    assert Direct(api, user=user).listed("nodes") == []


def test_a_role_holds_in_its_namespace_alone(api: ApiServer, direct: Direct) -> None:
    grant(direct, "jane", namespace="default", resources=["pods"], verbs=["list"])

    Direct(api, user=JANE).listed("pods", namespace="default")

    for elsewhere in ("kube-system", ""):
        with pytest.raises(StatusError, match="pods is forbidden"):
            Direct(api, user=JANE).listed("pods", namespace=elsewhere)


def test_a_subresource_is_granted_by_its_own_name(api: ApiServer, direct: Direct) -> None:
    grant(direct, "jane", resources=["pods"], verbs=["*"])

    with pytest.raises(StatusError, match='cannot create resource "pods/eviction"'):
        Direct(api, user=JANE).evict("p", namespace="default")


def test_a_right_may_be_bound_to_names(api: ApiServer, direct: Direct) -> None:
    grant(direct, "jane", resources=["namespaces"], resourceNames=["default"], verbs=["get"])

    Direct(api, user=JANE).get("namespaces", "default")

    with pytest.raises(StatusError, match="forbidden"):
        Direct(api, user=JANE).get("namespaces", "kube-system")


def test_what_is_taken_back_is_gone_at_once(api: ApiServer, direct: Direct) -> None:
    grant(direct, "jane", resources=["nodes"], verbs=["list"])
    Direct(api, user=JANE).listed("nodes")

    direct.delete(f"clusterrolebindings.{RBAC}", "r")

    with pytest.raises(StatusError, match="forbidden"):
        Direct(api, user=JANE).listed("nodes")


@pytest.mark.parametrize(("verb", "answer"), [("list", "True"), ("delete", "False")])
def test_people_may_ask_what_they_may_do(
    api: ApiServer, direct: Direct, verb: str, answer: str
) -> None:
    grant(direct, "jane", resources=["nodes"], verbs=["list"])
    question = {"spec": {"resourceAttributes": {"verb": verb, "resource": "nodes"}}}

    said = Direct(api, user=JANE).create("selfsubjectaccessreviews.authorization.k8s.io", question)

    assert str(said["status"]["allowed"]) == answer
