"""What is counted of our own doings; docs/metrics.md tells what each is for."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from nodehealth.repair import ENDED, NodeRepair, Phase
from remediator.decide.competitors import Competitor

_JUDGING = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
_ENDINGS = ENDED | {Phase.NEEDS_HUMAN}


class Metrics:
    """Counters, and gauges of what is not to be found anywhere else.

    Args:
        registry: Where they are found by whoever asks.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        self.leader = Gauge(
            "nodemend_leader", "1 while this replica leads, else 0.", registry=registry
        )
        self._ended = Counter(
            "nodemend_repairs_ended",
            "Repairs that recovered or came to need a person, by reason.",
            ["outcome", "reason", "pool"],
            registry=registry,
        )
        self._judging = Histogram(
            "nodemend_judgement_seconds",
            "How long it takes to judge one node by all rules.",
            buckets=_JUDGING,
            registry=registry,
        )
        self._requests = Counter(
            "nodemend_api_requests",
            "Requests to the API server by verb and status; none where no answer came.",
            ["verb", "code"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "nodemend_api_request_seconds",
            "How long the API server takes to begin its answer.",
            ["verb"],
            registry=registry,
        )
        self._alerts = Counter(
            "nodemend_alerts",
            "Alerts by receiver and what became of them: sent, failed, refused or dropped.",
            ["receiver", "outcome"],
            registry=registry,
        )
        self._missing = Gauge(
            "nodemend_prerequisites_missing",
            "How much the cluster lacks of what must be there to enforce anything.",
            registry=registry,
        )
        self._conditions = Counter(
            "nodemend_conditions_written",
            "Conditions of Nodes that were written, by type and status, or removed.",
            ["type", "status"],
            registry=registry,
        )
        self._foreign = Gauge(
            "nodemend_conditions_foreign",
            "Nodes on which a condition that nodemend would write is somebody else's.",
            ["type"],
            registry=registry,
        )
        self._competitors = Gauge(
            "nodemend_competitors",
            "Others who repair nodes too: 1 where that is certain, 0.5 where it may be.",
            ["name"],
            registry=registry,
        )
        self._reload_ok = Gauge(
            "nodemend_reload_ok",
            "1 if rules and policy are what their files say, 0 if the files can't be used.",
            registry=registry,
        )
        self._reloaded_at = Gauge(
            "nodemend_reload_timestamp_seconds",
            "When rules and policy were last taken from their files.",
            registry=registry,
        )

    def told(self, accepted: str) -> tuple[bytes, str]:
        """Write all of them for a client that accepts some formats; say in which."""
        encode, kind = choose_encoder(accepted)
        return encode(self.registry), kind

    def ended(self, repair: NodeRepair) -> None:
        """Count a repair that entered a phase, if that is an end."""
        status = repair.status
        if status.phase in _ENDINGS:
            pool = repair.spec.target.pool
            self._ended.labels(outcome=status.phase, reason=status.reason, pool=pool).inc()

    def judged(self, seconds: float) -> None:
        """Take in how long a judgement took."""
        self._judging.observe(seconds)

    def requested(self, verb: str, code: str, seconds: float) -> None:
        """Count a request to the API server."""
        self._requests.labels(verb=verb, code=code).inc()
        self._request_seconds.labels(verb=verb).observe(seconds)

    def delivered(self, receiver: str, outcome: str, alerts: int) -> None:
        """Count what became of alerts."""
        self._alerts.labels(receiver=receiver, outcome=outcome).inc(alerts)

    def lacks(self, missing: int) -> None:
        """Take in how much of what enforcing needs the cluster lacks."""
        self._missing.set(missing)

    def condition(self, type_: str, status: str) -> None:
        """Count a condition that was written."""
        self._conditions.labels(type=type_, status=status).inc()

    def foreign_conditions(self, found: Mapping[tuple[str, str], int]) -> None:
        """Take in by type and writer on how many nodes a condition is not ours."""
        self._foreign.clear()
        for (type_, _), nodes in found.items():
            self._foreign.labels(type=type_).inc(nodes)

    def competitors(self, known: Iterable[Competitor]) -> None:
        """Take in who else repairs nodes."""
        self._competitors.clear()
        for each in known:
            self._competitors.labels(name=each.name).set(1 if each.certain else 0.5)

    def loaded(self, at: datetime) -> None:
        """Take in that rules and policy were taken from their files."""
        self._reload_ok.set(1)
        self._reloaded_at.set(at.timestamp())

    def not_loaded(self) -> None:
        """Take in that the files of rules and policy can't be used."""
        self._reload_ok.set(0)
