"""What a person's question finds, put together for tests."""

from datetime import datetime, timedelta

from msgspec import structs

from nodehealth import keys
from nodehealth.health import NodeHealth
from nodehealth.kube.objects import Lease, LeaseSpec, ManagedFields, Metadata, Node, Pod
from nodehealth.ledger import RepairLedger
from nodehealth.repair import Mode, NodeRepair
from nodemend.looking.rulebook import Rulebook
from nodemend.looking.sight import Sight
from remediator.rules.policy import Limit, Policy, Pool
from remediator.rules.rule import Rule
from tests.builders import NOON, ledger, rules

LEASE = Lease(
    spec=LeaseSpec(
        holder_identity="replica-1", lease_duration_seconds=15, renew_time=NOON + timedelta()
    )
)


def written(health: NodeHealth, at: datetime) -> NodeHealth:
    """Have the API server say when the agent wrote a report; its own clock says the same."""
    fields = ManagedFields(manager=keys.AGENT_MANAGER, time=at)
    metadata = Metadata(name=health.metadata.name, managed_fields=(fields,))
    status = structs.replace(health.status, reported_at=at)
    return structs.replace(health, metadata=metadata, status=status)


def sight(
    *nodes: Node,
    now: datetime = NOON,
    healths: tuple[NodeHealth, ...] = (),
    repairs: tuple[NodeRepair, ...] = (),
    known: RepairLedger | None = None,
    lease: Lease | None = LEASE,
    pods: tuple[Pod, ...] = (),
) -> Sight:
    """Make what was seen."""
    return Sight(
        now=now,
        nodes=nodes,
        healths=healths,
        repairs=repairs,
        ledger=known or ledger(),
        lease=lease,
        replicas=2,
        pods=pods,
    )


def book(*made: Rule, mode: Mode = Mode.ENFORCE, disrupted: int = 1) -> Rulebook:
    """Make rules and a policy with one pool."""
    limit = Limit(cordoned=(3,), disrupted=(disrupted,))
    pool = Pool(name="fleet", labels={}, limit=limit)
    return Rulebook(
        rules=rules(*made),
        policy=Policy(mode=mode, limit=limit, pools=(pool,)),
        origin="the rules of this test",
    )
