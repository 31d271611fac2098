"""A token that is bound to a pod says on which node its holder runs."""

from typing import Final

from agent import identity
from nodehealth.kube.objects import PODS, Node, Pod
from tests.contract.cluster import Answer, Cluster
from tests.contract.kinds import SERVICE_ACCOUNTS, Json

ACCOUNT: Final = "agent"
REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
EXTRA: Final = "authentication.kubernetes.io"


async def running(cluster: Cluster) -> tuple[Node, Pod]:
    """Run an agent on a node."""
    await cluster.create(SERVICE_ACCOUNTS, ACCOUNT)
    node = await cluster.node()
    return node, await cluster.pod("agent", node, account=ACCOUNT)


async def issue(cluster: Cluster, pod: Pod, *, uid: str = "") -> Answer:
    """Ask for a token that is bound to a pod."""
    meta = pod.metadata
    bound = {"kind": "Pod", "apiVersion": "v1", "name": meta.name, "uid": uid or meta.uid}
    body: Json = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"boundObjectRef": bound, "expirationSeconds": 600},
    }
    path = SERVICE_ACCOUNTS.path(cluster.namespace, ACCOUNT, "token")
    return await cluster.ask("POST", path, body)


async def review(cluster: Cluster, token: str) -> Json:
    """Ask who holds a token."""
    body: Json = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }
    answer = await cluster.ask("POST", REVIEWS, body)
    status: Json = answer.body["status"]
    return status


async def test_a_bound_token_names_the_node_to_the_server(cluster: Cluster) -> None:
    """Managing Service Accounts, "Bound service account tokens": since Kubernetes 1.30."""
    node, pod = await running(cluster)

    status = await review(cluster, (await issue(cluster, pod)).body["status"]["token"])

    extra = status["user"]["extra"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{cluster.namespace}:{ACCOUNT}"
    assert extra[f"{EXTRA}/node-name"] == [node.metadata.name]
    assert extra[f"{EXTRA}/node-uid"] == [node.metadata.uid]
    assert extra[f"{EXTRA}/pod-name"] == [pod.metadata.name]
    assert extra[f"{EXTRA}/pod-uid"] == [pod.metadata.uid]


async def test_a_bound_token_names_the_node_to_its_holder(cluster: Cluster) -> None:
    """Managing Service Accounts, "Bound service account token structure": the claims."""
    node, pod = await running(cluster)

    claim = identity.claimed((await issue(cluster, pod)).body["status"]["token"])

    assert (claim.name, claim.uid) == (node.metadata.name, node.metadata.uid)


async def test_a_token_ends_with_its_pod(cluster: Cluster) -> None:
    """Managing Service Accounts, "Bound service account tokens"."""
    _, pod = await running(cluster)
    token = (await issue(cluster, pod)).body["status"]["token"]
    await cluster.client.delete(
        PODS, pod.metadata.name, namespace=cluster.namespace, grace_seconds=0
    )

    async def refused() -> bool:
        return not (await review(cluster, token)).get("authenticated", False)

    assert await cluster.until(refused)  # a real server remembers its verdict for some seconds


async def test_no_token_is_bound_to_another_pod_of_the_same_name(cluster: Cluster) -> None:
    """serviceaccount/storage/token.go: 409."""
    _, pod = await running(cluster)

    answer = await issue(cluster, pod, uid="00000000-0000-4000-8000-000000000000")

    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


async def test_a_token_that_nobody_issued_is_nobodys(cluster: Cluster) -> None:
    """API reference, TokenReviewStatus.authenticated."""
    status = await review(cluster, "e30.e30.e30")

    assert status.get("authenticated", False) is False
