"""The fleet as a whole at one moment, as breakers are judged by it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from nodehealth.kube.objects import Node
from nodehealth.repair import Mode
from remediator.decide import counting, novelties, ready, trips
from remediator.decide.trips import JOINING, Crowd, World
from remediator.observe import Fleet
from remediator.rules.policy import CLUSTER, Policy, is_domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is not to be counted at every look, or not in the fleet's copy."""

    agents: Crowd
    requests: Crowd
    pods: Crowd


def world(fleet: Fleet, counts: Counts, policy: Policy, now: datetime) -> World:
    """Put together what is known; `now` is by the API server's clock."""
    amiss = set(_amiss(fleet, now))
    return World(
        pools=_pools(fleet, amiss, policy),
        zones={
            zone: Crowd(all=len(nodes), amiss=len(nodes & amiss))
            for zone, nodes in fleet.zones().items()
        },
        agents=counts.agents,
        kubelets=Crowd(
            all=len(fleet.scopes()[CLUSTER].members),
            amiss=sum(not _joins(fleet.node(name), now) for name in fleet.unready()),
        ),
        requests=counts.requests,
        pods=counts.pods,
        repairs=fleet.repairs(),
        versions=partial(versions, fleet),
        changes=fleet.ledger.status.changes,
    )


def versions(fleet: Fleet, name: str) -> tuple[str, ...]:
    """Name what runs on a node, as changes are named."""
    node = fleet.node(name)
    return novelties.of_node(node, fleet.reported(name)) if node is not None else ()


def _amiss(fleet: Fleet, now: datetime) -> Iterator[str]:
    """Name the nodes that are out of service, or sick by a rule that may act."""
    for name in fleet.scopes()[CLUSTER].out:
        if not _joins(fleet.node(name), now):
            yield name
    for repair in fleet.open_repairs():
        if repair.spec.mode is Mode.ENFORCE and trips.is_standing(repair):
            yield repair.spec.target.node


def _pools(fleet: Fleet, amiss: set[str], policy: Policy) -> Mapping[str, Crowd]:
    """Count each pool's nodes, and those amiss: what it ought to have and lacks is among them."""
    scopes = fleet.scopes()
    found = Counter(pool for name in amiss for pool in scopes.places(name)[:1])
    named = (scope for name, scope in scopes.items() if name != CLUSTER and not is_domain(name))
    crowds = dict[str, Crowd]()
    for scope in named:
        lacks = counting.missing(fleet.ledger, scope, policy)
        all_, some = len(scope.members) + lacks, found[scope.name] + lacks
        crowds[scope.name] = Crowd(all=all_, amiss=some)
    return crowds


def _joins(node: Node | None, now: datetime) -> bool:
    """Say whether a node has only just come and was not Ready yet."""
    made = node.metadata.creation_timestamp if node is not None else None
    return (
        node is not None and made is not None and not ready.is_ready(node) and now - made < JOINING
    )
