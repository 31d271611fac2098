"""Whoever is bound to the role for people can do all that the command line does, and no more."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import yaml

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS, Pause
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Wish
from nodemend import requesting, wishes
from nodemend.looking import rulebook, sight
from simulator import virtualtime
from simulator.cluster import Cluster
from simulator.scenario import Pool, Scenario
from tests.builders import repair
from tests.deploy.manifests import DEPLOY

ROLES: Final = tuple(yaml.safe_load_all((DEPLOY / "remediator" / "operator.yaml").read_text()))
RBAC: Final = "rbac.authorization.k8s.io"


def bound(role: dict[str, Any]) -> dict[str, Any]:
    """Bind a role to somebody whose token a test can have."""
    return {
        **{key: role[key] for key in ("apiVersion", "metadata")},
        "kind": f"{role['kind']}Binding",
        "roleRef": {"apiGroup": RBAC, "kind": role["kind"], "name": role["metadata"]["name"]},
        "subjects": [{"kind": "User", "name": keys.AGENT_USER}],
    }


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[Client, NodeRepair]]:
    """Give a person's way to a cluster, and a repair in it."""
    rights = (*ROLES, *(bound(role) for role in ROLES))
    plan = Scenario(pools=(Pool(name="w", nodes=1),))
    async with Cluster(plan, clock=virtualtime.clock(), rights=rights) as cluster:
        admin = cluster.client("admin")
        await admin.create(REPAIR_LEDGERS, {"metadata": {"name": keys.LEDGER_NAME}, "spec": {}})
        made = await admin.create(NODE_REPAIRS, repair("w-1"))
        yield cluster.client("nodemend", token=cluster.agent_token("w-1")), made


@virtualtime.played
async def test_all_that_the_command_line_does_is_allowed() -> None:
    async with staged() as (person, made):
        seen = await sight.look(person, virtualtime.clock(), node="w-1")
        await rulebook.read(person, None)
        author = await wishes.author(person)
        await wishes.pause(person, "net", lambda _, now: Pause(reason="cables", by=author, at=now))
        await wishes.resume(person, "net")
        approved = await requesting.approve(person, made, author)
        asked, _ = await requesting.request(person, approved, Wish.CANCEL, author, "")
        await person.merge_patch(NODES, "w-1", {"metadata": {"labels": {keys.SKIP: "true"}}})

    assert len(seen.nodes) == 1
    assert author == keys.AGENT_USER
    assert asked.spec.request is not None


@pytest.mark.parametrize(
    "deed",
    [
        lambda client, made: client.merge_patch(
            NODE_REPAIRS, made.metadata.name, {"status": {"phase": "Parked"}}, subresource="status"
        ),
        lambda client, _: client.merge_patch(
            REPAIR_LEDGERS, keys.LEDGER_NAME, {"status": {"epoch": 9}}, subresource="status"
        ),
        lambda client, made: client.delete(NODE_REPAIRS, made.metadata.name),
        lambda client, _: client.create(NODE_REPAIRS, repair("w-2")),
    ],
    ids=["how-a-repair-stands", "what-was-admitted", "no-repair-any-more", "another-repair"],
)
def test_nothing_that_is_the_remediators_is_allowed(deed: Callable[..., Any]) -> None:
    async def play() -> None:
        async with staged() as (person, made):
            await deed(person, made)

    with pytest.raises(errors.ForbiddenError):
        virtualtime.run(play())


def test_the_plan_of_a_repair_can_not_be_changed() -> None:
    async def play() -> None:
        async with staged() as (person, made):
            await person.merge_patch(NODE_REPAIRS, made.metadata.name, {"spec": {"ladder": []}})

    with pytest.raises(errors.InvalidError, match="the plan of a repair is frozen"):
        virtualtime.run(play())
