"""The YAML of the policy as SREs write it, before it is made sense of."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from nodehealth.keys import GPU_CLIENTS_LABEL, PAUSED
from nodehealth.repair import Mode, Severity
from remediator.rules.alerting import Urgency
from remediator.rules.language import BurnIn, FileMetadata, Strict
from remediator.rules.policy import Beside, Names


class Hook(Strict, frozen=True, kw_only=True):
    """A web service of the operator's own that repairs nodes."""

    url: Annotated[str, Meta(pattern="^https?://[^/]+")]
    secret_file: Annotated[str, Meta(min_length=1)]
    timeout: str = "10s"


class Jobs(Strict, frozen=True, kw_only=True):
    """Jobs of the operator's own."""

    namespace: Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = (
        "nodemend-jobs"
    )
    burn_in: BurnIn | None = None
    """What has to pass on each mended node, unless its rule names something else."""


class Limits(Strict, frozen=True, kw_only=True):
    """How many nodes of a scope may be cordoned or disrupted at once.

    A count, a percentage (rounded down) or a list of both, of which the lowest holds.
    """

    cordoned: str | int | tuple[str | int, ...] | None = None
    disrupted: str | int | tuple[str | int, ...] | None = None
    small_pool: Annotated[int, Meta(ge=0, le=1)] | None = None
    """How many nodes may be out where a percentage of a small scope rounds down to 0."""


class ClusterLimits(Limits, frozen=True, kw_only=True):
    """The limits of the whole cluster, and of each gang in it."""

    per_gang: Literal["unlimited"] | Annotated[int, Meta(ge=1)] = 1
    """How many nodes with pods of one gang may be disrupted at once."""


class Pace(Strict, frozen=True, kw_only=True):
    """How many actions may begin in a while, and how many of them at once."""

    most: str
    burst: Annotated[int, Meta(ge=1)]


class Rates(Strict, frozen=True, kw_only=True):
    """How fast nodes of a scope may be cordoned or disrupted, or `unlimited`."""

    cordons: Literal["unlimited"] | Pace | None = None
    disruptions: Literal["unlimited"] | Pace | None = None


class Window(Strict, frozen=True, kw_only=True):
    """A span of the day on some days; one that passes midnight belongs to the day it begins on."""

    days: tuple[str, ...] = ("mon-sun",)
    opens: str | int = msgspec.field(name="from")
    closes: str | int = msgspec.field(name="to")
    zone: str = "UTC"
    """A time zone by its IANA name, such as Europe/Berlin."""


class Windows(Strict, frozen=True, kw_only=True):
    """When disruption may begin; without a window, always."""

    open: tuple[Window, ...] = ()
    except_: tuple[Severity, ...] = msgspec.field(default=(), name="except")
    """How bad a fault is that need not wait."""


class Pool(Strict, frozen=True, kw_only=True):
    """Nodes that stand in for each other, chosen by their labels; the first pool that fits wins."""

    name: Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
    labels: Mapping[str, str] = {}
    desired: Annotated[int, Meta(ge=0)] = 0
    """How many nodes it ought to have: those that are missing are out."""
    limits: Limits = Limits()
    rate: Rates = Rates()
    windows: Windows | None = None
    """When disruption may begin in it; without, when the cluster's say."""


class Domain(Strict, frozen=True, kw_only=True):
    """A label of Nodes, such as that of zones or racks: each of its values has these limits."""

    label: Annotated[
        str,
        Meta(
            pattern="^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?"
            "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
        ),
    ]
    limits: Limits = Limits()
    rate: Rates = Rates()


class ControlPlane(Strict, frozen=True, kw_only=True):
    """What may be done to control-plane nodes."""

    repair: bool = False
    """Whether they are repaired: one at a time, and only while all others are ready."""


class DrainManners(Strict, frozen=True, kw_only=True):
    """How evictions behave towards workloads."""

    settle: str = "5s"
    """How long after the cordon the drain waits for pods that were already on their way."""
    again: str = "10s"
    """How often the drain looks at what is left."""
    concurrency: Annotated[int, Meta(ge=1, le=100)] = 10
    """How many pods of one node are asked to leave at once."""
    rate: Annotated[int, Meta(ge=1, le=1000)] = 20
    """How many pods are asked to leave in a second, in all drains together."""
    unreplicated: bool = False
    """Whether pods that no controller brings back may be evicted."""
    silent: str = "2m"
    """For how long a kubelet must have been silent before its machine is switched off."""
    overdue: str = "1m"
    """How long after its last moment a pod counts as one that nothing ends."""
    twice: str = "10s"
    """How far apart a machine's owner must have said twice that it is off."""
    tiers: tuple[int, ...] = (0, 1_000_000_000)
    """The priorities at which a new tier of pods begins; a tier leaves when those below it left."""
    detach: str = "2m"
    """How long the volumes of a pod may take to come off the machine before the next pod goes."""


class GpuClients(Strict, frozen=True, kw_only=True):
    """Who holds GPUs on a node and is never drained: device plugins, exporters, monitors."""

    daemon_sets: tuple[str, ...] = ()
    """Each as `namespace/name`; a reset waits until none of their pods is on the node."""
    labels: Mapping[str, str] = msgspec.field(default_factory=lambda: {GPU_CLIENTS_LABEL: PAUSED})
    """The labels of a Node at which they give way; what they were before is put back."""


class Condemning(Strict, frozen=True, kw_only=True):
    """After how many failures, with repairs in between, a part gets no more of them."""

    gpus: Annotated[int, Meta(ge=2)] = 2
    hosts: Annotated[int, Meta(ge=2)] = 3
    within: str = "30d"


class Conditions(Strict, frozen=True, kw_only=True):
    """Which conditions are written to Nodes."""

    names: Names = Names.NODEMEND
    every_node: bool = False
    lifecycle: bool = False


class Coexistence(Strict, frozen=True, kw_only=True):
    """Which locks of others are read that do not lie on Nodes."""

    medik8s: bool = False
    kured: str = ""
    """The DaemonSet as `namespace/name`."""
    machines: bool = False


class Burst(Strict, frozen=True, kw_only=True):
    """How many nodes of a pool may fall sick in a while; of the count and the share the higher."""

    repairs: Annotated[int, Meta(ge=3)] = 5
    share: str = "1%"
    within: str = "10m"


class Unmended(Strict, frozen=True, kw_only=True):
    """How many repairs of a pool may fail one after the other in a while."""

    repairs: Annotated[int, Meta(ge=2)] = 2
    within: str = "24h"


class AfterChange(Strict, frozen=True, kw_only=True):
    """On what share of a pool one rule may begin to hold after rules or versions changed."""

    share: str = "10%"
    within: str = "15m"


class PendingPods(Strict, frozen=True, kw_only=True):
    """How many pods may wait in place of those that were evicted; of count and share the higher."""

    pods: Annotated[int, Meta(ge=1)] = 10
    share: str = "50%"
    """Of as many as were evicted."""
    within: str = "30m"


class Breakers(Strict, frozen=True, kw_only=True):
    """When too much is amiss at once; `never` for one that shall not open."""

    unhealthy_pool: str = "30%"
    unhealthy_zone: str = "50%"
    silent_agents: str = "50%"
    silent_nodes: str = "60%"
    api_errors: str = "20%"
    burst: Literal["never"] | Burst = Burst()
    failed_replacements: Literal["never"] | Annotated[int, Meta(ge=1)] = 3
    unmended: Literal["never"] | Unmended = Unmended()
    after_change: Literal["never"] | AfterChange = AfterChange()
    pending_pods: Literal["never"] | PendingPods = PendingPods()
    cool_down: str = "15m"
    """How long nothing is tried; then one node at a time is."""
    settle: str = "2m"
    """How long nothing may be amiss before all goes on as usual."""


class AlertRoute(Strict, frozen=True, kw_only=True):
    """Which alerts go to which receivers; what is left out fits every alert."""

    receivers: Annotated[tuple[str, ...], Meta(min_length=1)]
    severity: tuple[Urgency, ...] = ()
    pool: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    mode: tuple[Mode, ...] = ()


class Alerts(Strict, frozen=True, kw_only=True):
    """How people are told."""

    cluster: str = ""
    team: str = ""
    runbooks: str = ""
    observed: Urgency = Urgency.INFO
    waiting: str = "30m"
    receivers: tuple[Mapping[str, Any], ...] = ({"name": "stdout", "stdout": {}},)
    """Each with its name and one way of telling, as in `{name: log, stdout: {}}`."""
    routes: tuple[AlertRoute, ...] = ()


class Approval(Strict, frozen=True, kw_only=True):
    """For which repairs a person is asked first; what is left out fits every repair."""

    action: tuple[str, ...] = ()
    """One of these is on the ladder."""
    severity: tuple[Severity, ...] = ()
    pool: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()


class PolicySpec(Strict, frozen=True, kw_only=True):
    """What nodemend may do, and at what pace."""

    mode: Mode = Mode.OBSERVE
    pools: tuple[Pool, ...] = ()
    domains: Annotated[tuple[Domain, ...], Meta(max_length=5)] = ()
    """Limits of zones, racks, or whatever else a label tells apart."""
    control_plane: ControlPlane = ControlPlane()
    limits: ClusterLimits = ClusterLimits()
    """Limits of the whole cluster."""
    rate: Rates = Rates()
    """How fast things may begin in the whole cluster."""
    drain: DrainManners = DrainManners()
    gpu_clients: GpuClients = GpuClients()
    jobs: Jobs = Jobs()
    webhooks: Mapping[str, Hook] = {}
    """Web services of the operator's own that ladders may name."""
    provider: str | Mapping[str, Mapping[str, Any]] = ""
    """Who owns the machines, by name or with settings; without one, nothing can be replaced."""
    alerts: Alerts = Alerts()
    approvals: tuple[Approval, ...] = ()
    """Which repairs cordon their node and then wait for a person's word."""
    windows: Windows = Windows()
    """When disruption may begin in pools that do not say it themselves."""
    condemned: Literal["never"] | Condemning = Condemning()
    """When a part that fails again and again is left to people."""
    breakers: Literal["never"] | Breakers = Breakers()
    """What stops new disruption when too much is amiss at once."""
    conditions: Conditions = Conditions()
    competitors: Beside = Beside.WARN
    """What is done where somebody else surely repairs nodes too."""
    coexistence: Coexistence = Coexistence()
    cooldown: str = "1h"
    """How soon a fault that is back goes on with the next remedy; `0s` begins with the first."""


class PolicyFile(Strict, frozen=True, kw_only=True):
    """The one file that says how far nodemend may go."""

    api_version: Literal["nodemend.dev/v1alpha1"]
    kind: Literal["Policy"]
    metadata: FileMetadata = FileMetadata(name="policy")
    spec: PolicySpec
