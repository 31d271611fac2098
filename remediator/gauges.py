"""How the fleet stands, read from the caches at the moment somebody asks for it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nodehealth.kit.clocks import Clock
from nodehealth.ledger import Disruption, RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import counting, pauses, scopes
from remediator.decide.rates import Kind
from remediator.decide.scopes import Scopes
from remediator.observe import Fleet
from remediator.rules.policy import Policy, is_domain, label_of


class Gauges(Collector):
    """What a replica sees, whether it leads or not.

    Args:
        fleet: The caches.
        policy: The limits.
        watches: By kind, when the API server last said anything of it.
        queues: By receiver, how many alerts wait to be delivered.
        admissions: By kind, how often what was asked for was granted, or refused and why.
        clock: The present time.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        policy: Callable[[], Policy],
        watches: Mapping[str, Callable[[], datetime | None]],
        queues: Callable[[], Mapping[str, int]],
        admissions: Mapping[tuple[Kind, str], int],
        clock: Clock,
    ) -> None:
        self._fleet, self._policy = fleet, policy
        self._watches, self._queues, self._clock = watches, queues, clock
        self._admissions = admissions

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the registry then need not ask a fleet that is not there yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read everything anew."""
        yield from self._repairs(self._fleet.open_repairs())
        yield from self._scopes()
        yield self._ledger()
        yield self._pauses()
        yield self._breakers()
        yield self._ages()
        yield self._admitted()
        waiting = GaugeMetricFamily(
            "nodemend_alerts_waiting", "Alerts that wait to be delivered.", labels=["receiver"]
        )
        for receiver, count in self._queues().items():
            waiting.add_metric([receiver], count)
        yield waiting

    def _repairs(self, repairs: tuple[NodeRepair, ...]) -> Iterator[Metric]:
        phases = Counter((each.status.phase, each.spec.target.pool) for each in repairs)
        reasons = Counter(
            (each.status.reason, each.spec.target.pool) for each in repairs if each.status.reason
        )
        opened = GaugeMetricFamily(
            "nodemend_repairs_open", "Repairs that have not ended.", labels=["phase", "pool"]
        )
        held = GaugeMetricFamily(
            "nodemend_repairs_held", "Repairs that wait, by reason.", labels=["reason", "pool"]
        )
        for family, counted in ((opened, phases), (held, reasons)):
            for labels, count in counted.items():
                family.add_metric([str(each) for each in labels], count)
            yield family

    def _scopes(self) -> Iterator[Metric]:
        named = {
            "nodes": GaugeMetricFamily("nodemend_nodes_known", "Nodes.", labels=["scope"]),
            "out": GaugeMetricFamily(
                "nodemend_nodes_out",
                "Nodes that are unavailable for any reason, or held by us: used of the limit.",
                labels=["scope"],
            ),
            "out_limit": GaugeMetricFamily(
                "nodemend_cordons_limit",
                "At how many nodes that are out no other is cordoned.",
                labels=["scope"],
            ),
            "disrupted": GaugeMetricFamily(
                "nodemend_slots_used", "Nodes that may be disrupted now.", labels=["scope"]
            ),
            "disrupted_limit": GaugeMetricFamily(
                "nodemend_slots_limit", "How many nodes may be disrupted at once.", labels=["scope"]
            ),
        }
        policy, ledger = self._policy(), self._fleet.ledger
        known = self._fleet.scopes()
        for scope in known.values():
            if is_domain(scope.name):
                continue
            usage = counting.usage(ledger, scope, policy)
            for field, family in named.items():
                family.add_metric([scope.name], getattr(usage, field))
        yield from named.values()
        yield from _domains(known, ledger, policy)
        cordons = GaugeMetricFamily(
            "nodemend_cordons_used", "Nodes that we hold cordoned and do not disrupt."
        )
        cordons.add_metric([], len(ledger.status.cordons))
        yield cordons

    def _admitted(self) -> Metric:
        admissions = CounterMetricFamily(
            "nodemend_admissions",
            "What was asked of the ledger, by what came of it.",
            labels=["kind", "result"],
        )
        for (kind, result), count in self._admissions.items():
            admissions.add_metric([str(kind), str(result)], count)
        return admissions

    def _ledger(self) -> Metric:
        is_open = self._fleet.ledger.spec.disruption is Disruption.OPEN
        return GaugeMetricFamily(
            "nodemend_ledger_open", "1 unless new disruption is closed.", value=float(is_open)
        )

    def _pauses(self) -> Metric:
        family = GaugeMetricFamily(
            "nodemend_pauses", "Pauses that hold something back now.", labels=["scope"]
        )
        running = pauses.running(self._fleet.ledger, self._clock())
        counted = Counter(pauses.kind(each) for _, each in running)
        for kind in pauses.Kind:
            family.add_metric([str(kind)], counted[kind])
        return family

    def _breakers(self) -> Metric:
        family = GaugeMetricFamily(
            "nodemend_breakers",
            "Breakers that are not closed: 1 for each.",
            labels=["kind", "scope", "state"],
        )
        for key, each in self._fleet.ledger.status.breakers.items():
            kind, _, scope = key.partition("/")
            family.add_metric([kind, scope, str(each.state)], 1)
        return family

    def _ages(self) -> Metric:
        ages = GaugeMetricFamily(
            "nodemend_watch_age_seconds",
            "How long the API server has said nothing of a kind; it should every minute.",
            labels=["kind"],
        )
        now = self._clock()
        for kind, fresh_at in self._watches.items():
            at = fresh_at()
            if at is not None:
                ages.add_metric([kind], max(0.0, (now - at).total_seconds()))
        return ages


def _domains(known: Scopes, ledger: RepairLedger, policy: Policy) -> Iterator[Metric]:
    """Count domains by label: each by its name would be thousands of series."""
    full = scopes.full_domains(ledger, known, policy)
    for name, about, found in (
        ("nodemend_domains_known", "Domains that have nodes.", filter(is_domain, known)),
        (
            "nodemend_domains_full",
            "Domains in which no further node may be disrupted.",
            (each.scope for each in full),
        ),
    ):
        family = GaugeMetricFamily(name, about, labels=["label"])
        for label, count in Counter(map(label_of, found)).items():
            family.add_metric([label], count)
        yield family
