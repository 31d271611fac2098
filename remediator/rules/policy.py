"""The policy, ready to decide by: pools, limits, manners."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from nodehealth.keys import CONTROL_PLANE_LABEL, GPU_CLIENTS_LABEL, PAUSED
from nodehealth.kube.objects import Node
from nodehealth.repair import Mode, PartKind
from remediator.rules.alerting import Alerting
from remediator.rules.approvals import Approval
from remediator.rules.breaking import Breaking
from remediator.rules.windows import ALWAYS, Windows

CLUSTER: Final = "cluster"
"""The scope of every node; no pool may have this name."""
CONTROL_PLANE: Final = f"{CONTROL_PLANE_LABEL}=*"
"""The domain of all control-plane nodes, whatever the label says; no label can say this."""

DEFAULT_POOL: Final = "default"


FULL_WITHIN: Final = timedelta(days=7)
"""The longest that any rate may take to allow its whole burst again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many actions may begin in a while, and how many of them at once."""

    most: int
    per: timedelta
    burst: int

    @property
    def every(self) -> timedelta:
        """Return how long it takes until one more may begin."""
        return self.per / self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most nodes of a scope that may be cordoned and disrupted; the lowest share holds."""

    cordoned: tuple[str | int, ...]
    disrupted: tuple[str | int, ...]
    small_pool: int = 0
    """What holds where a share of a small scope rounds down to nothing: 0 or 1."""
    cordons: Rate | None = None
    """How fast nodes may be cordoned; nothing where they may be at once."""
    disruptions: Rate | None = None
    """How fast nodes may be disrupted; nothing where only the limit holds."""


CORDONS: Final = Rate(most=20, per=timedelta(minutes=1), burst=10)
POOL_LIMIT: Final = Limit(
    cordoned=("10%", 50),
    disrupted=("10%", 1),
    cordons=CORDONS,
    disruptions=Rate(most=2, per=timedelta(hours=1), burst=2),
)
CLUSTER_LIMIT: Final = Limit(
    cordoned=("10%", 50),
    disrupted=("5%", 5),
    cordons=CORDONS,
    disruptions=Rate(most=6, per=timedelta(hours=1), burst=2),
)


DOMAIN_LIMIT: Final = Limit(cordoned=("100%",), disrupted=("100%",))
"""What holds of a domain for which nothing else is said."""
CONTROL_PLANE_LIMIT: Final = Limit(cordoned=("100%",), disrupted=(1,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A label of Nodes, each of whose values stands for nodes that fail or are missed together."""

    label: str
    limit: Limit
    """What holds of the nodes of each value by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Nodes that stand in for each other."""

    name: str
    labels: Mapping[str, str]
    limit: Limit
    windows: Windows | None = None
    """When disruption may begin; nothing where the cluster's say."""
    desired: int = 0
    """How many nodes there ought to be; 0 where as many as there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainManners:
    """How evictions behave towards workloads."""

    settle: timedelta = timedelta(seconds=5)
    again: timedelta = timedelta(seconds=10)
    concurrency: int = 10
    rate: int = 20
    unreplicated: bool = False
    silent: timedelta = timedelta(minutes=2)
    """For how long a kubelet must have been silent before its machine is switched off."""
    overdue: timedelta = timedelta(minutes=1)
    """How long after its last moment a pod counts as one that nothing ends."""
    twice: timedelta = timedelta(seconds=10)
    """How far apart the owner must have said twice that the machine is off."""
    tiers: tuple[int, ...] = (0, 1_000_000_000)
    """The priorities at which a new tier of pods begins; a tier leaves when those below it left."""
    detach: timedelta = timedelta(minutes=2)
    """How long the volumes of a pod may take to come off the machine before the next pod goes."""


LONGEST_MEMORY: Final = timedelta(days=90)
"""The longest that repairs are remembered: each of them is an object in the cluster."""


COOLDOWN: Final = timedelta(hours=1)
JOBS_NAMESPACE: Final = "nodemend-jobs"
"""Where the Jobs of operators run, if the policy says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A web service of the operator's own that repairs nodes."""

    url: str
    secret_file: str
    """The file with the secret that messages are signed with."""
    timeout: timedelta = timedelta(seconds=10)
    """How long one answer may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnIn:
    """A Job that has to pass on a mended node before it takes work again."""

    template: str
    """The PodTemplate that says what it runs."""
    deadline: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemning:
    """After how many failures a part is condemned that had been repaired in between."""

    gpus: int = 2
    hosts: int = 3
    within: timedelta = timedelta(days=30)
    """How far back repairs count."""

    def most(self, kind: PartKind) -> float:
        """Return how many failures condemn a part of this kind."""
        return (self.gpus if kind is PartKind.GPU else self.hosts) or math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuClients:
    """Who holds GPUs on a node and is never drained, and how they are moved off for a reset."""

    daemon_sets: frozenset[tuple[str, str]] = frozenset()
    """Their namespaces and names."""
    labels: Mapping[str, str] = field(default_factory=lambda: {GPU_CLIENTS_LABEL: PAUSED})
    """The labels of a Node at which they give way."""


class Names(StrEnum):
    """What the Node conditions are called by which faults are shown."""

    NODEMEND = "nodemend"
    """`nodemend.dev/` and the rule's type: nobody but nodemend acts on them."""
    KARPENTER = "karpenter"
    """The five types that Karpenter and EKS act on as they are; all others as before."""
    NPD = "npd"
    """As node-problem-detector does: the rule's reason is a type of its own, and True is bad."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coexistence:
    """Which locks of others are read that do not lie on Nodes; each needs a right of its own."""

    medik8s: bool = False
    """Leases and NodeMaintenances of medik8s; we take a node's lease while we disrupt it."""
    kured: tuple[str, str] | None = None
    """The namespace and name of kured's DaemonSet."""
    machines: bool = False
    """Machines of Cluster API."""

    def is_anything(self) -> bool:
        """Say whether any is read."""
        return self.medik8s or self.kured is not None or self.machines


class Beside(StrEnum):
    """What is done where somebody else surely repairs nodes too."""

    WARN = "warn"
    REFUSE = "refuse"
    """Only observe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Which conditions are written to Nodes; only rules that are enforced write any."""

    names: Names = Names.NODEMEND
    every_node: bool = False
    """Whether nodes that never had a fault have them too."""
    lifecycle: bool = False
    """Whether our own work shows by the lifecycle conditions of Kubernetes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How far nodemend may go, and at what pace."""

    mode: Mode = Mode.OBSERVE
    pools: tuple[Pool, ...] = ()
    domains: tuple[Domain, ...] = ()
    control_plane: bool = False
    """Whether control-plane nodes are repaired, one at a time, and not left to people."""
    limit: Limit = CLUSTER_LIMIT
    """The limit of the whole cluster."""
    per_gang: int | None = 1
    """How many nodes with pods of one gang may be disrupted at once; nothing where any may be."""
    drain: DrainManners = field(default_factory=DrainManners)
    gpu_clients: GpuClients = field(default_factory=GpuClients)
    provider: str = ""
    """Who owns the machines; nobody when it is empty."""
    provider_settings: Mapping[str, object] = field(default_factory=dict)
    alerts: Alerting = field(default_factory=Alerting)
    condemned: Condemning = field(default_factory=Condemning)
    breaking: Breaking = field(default_factory=Breaking)
    conditions: Conditions = field(default_factory=Conditions)
    competitors: Beside = Beside.WARN
    coexistence: Coexistence = field(default_factory=Coexistence)
    approvals: tuple[Approval, ...] = ()
    """For which repairs a person is asked first."""
    windows: Windows = ALWAYS
    """When disruption may begin in pools that do not say it themselves."""
    webhooks: Mapping[str, Hook] = field(default_factory=dict)
    """The web services that ladders may name."""
    jobs_namespace: str = JOBS_NAMESPACE
    """Where the Jobs of operators run, and their templates are."""
    burn_in: BurnIn | None = None
    """What has to pass on each mended node, where the rule says nothing else."""
    cooldown: timedelta = COOLDOWN
    """How soon a fault that is back counts as never mended."""

    def pool_of(self, node: Node) -> str:
        """Name the first pool whose labels the node carries."""
        labels = node.metadata.labels.items()
        return next(
            (pool.name for pool in self.pools if pool.labels.items() <= labels), DEFAULT_POOL
        )

    def scopes_of(self, node: Node) -> tuple[str, ...]:
        """Name the scopes of a Node besides the cluster: its pool, and then its domains."""
        return (self.pool_of(node), *self.domains_of(node))

    def domains_of(self, node: Node) -> tuple[str, ...]:
        """Name the domains of a Node; a label that it lacks, or leaves empty, puts it into none."""
        labels = node.metadata.labels
        own = tuple(
            f"{each.label}={labels[each.label]}" for each in self.domains if labels.get(each.label)
        )
        controls = self.control_plane and CONTROL_PLANE_LABEL in labels
        return (*own, CONTROL_PLANE) if controls else own

    def windows_of(self, pool: str) -> Windows:
        """Say when disruption may begin in a pool."""
        own = next((each.windows for each in self.pools if each.name == pool), None)
        return own if own is not None else self.windows

    def limit_of(self, scope: str) -> Limit:
        """Return a scope's limit; nodes of no pool have the default one."""
        if scope == CLUSTER:
            return self.limit
        if scope == CONTROL_PLANE:
            return CONTROL_PLANE_LIMIT
        if is_domain(scope):
            label = label_of(scope)
            limits = (each.limit for each in self.domains if each.label == label)
            return next(limits, DOMAIN_LIMIT)
        return next((pool.limit for pool in self.pools if pool.name == scope), POOL_LIMIT)


def is_domain(scope: str) -> bool:
    """Say whether a scope is a domain, and neither a pool nor the cluster."""
    return "=" in scope


def label_of(domain: str) -> str:
    """Return the label that a domain is a value of."""
    return domain.partition("=")[0]
