"""Kinds with one rule or two of their own: namespaces, leases, events, disruption budgets."""

import re
from collections.abc import Iterator
from typing import Final

from simulator.api import names, status, wire
from simulator.api.calls import Call
from simulator.api.status import Cause
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

_MICRO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_PERCENT: Final = re.compile(r"\d+%")
_POLICIES: Final = ("IfHealthyBudget", "AlwaysAllow")


class NamespaceStrategy(Strategy):
    """The rules of namespaces: alive until what they hold is gone."""

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Start a namespace as active; keep its finalizers unless they are what is written."""
        del world
        if old is None:
            new["spec"] = {"finalizers": ["kubernetes"]}
            new["status"] = {"phase": "Active"}
            labels = wire.made(new, "metadata", "labels")
            labels["kubernetes.io/metadata.name"] = new["metadata"]["name"]
        elif call.subresource != "finalize":
            new["spec"] = old.get("spec", {})


class MicroTimeStrategy(Strategy):
    """The rules of kinds with MicroTime fields: six fractional digits, or it is unreadable."""

    def __init__(self, *fields: tuple[str, ...]) -> None:
        self._fields = fields

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Refuse what the real server fails to decode.

        Raises:
            simulator.api.status.StatusError: 400.
        """
        del world, old
        for path in self._fields:
            time = wire.text(new, *path)
            if time and _MICRO.fullmatch(time) is None:
                kind = call.kind
                raise status.bad_request(
                    f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                    f'parsing time "{time}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse '
                    f'"{time[19:]}" as ".000000"'
                )


class LeaseStrategy(MicroTimeStrategy):
    """The rules of leases."""

    def __init__(self) -> None:
        super().__init__(("spec", "acquireTime"), ("spec", "renewTime"))

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about durations that mean nothing."""
        del world, call, old
        spec = wire.section(new, "spec")
        seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        if seconds is not None and (not isinstance(seconds, int) or seconds <= 0):
            yield names.bad_value("spec.leaseDurationSeconds", seconds, "must be greater than 0")
        if transitions is not None and (not isinstance(transitions, int) or transitions < 0):
            rule = "must be greater than or equal to 0"
            yield names.bad_value("spec.leaseTransitions", transitions, rule)


class EventStrategy(MicroTimeStrategy):
    """The rules of events."""

    def __init__(self) -> None:
        super().__init__(("eventTime",), ("series", "lastObservedTime"))

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about an event that lies in another namespace than what it tells of."""
        del world, old
        about = wire.text(new, "involvedObject", "namespace")
        if call.namespace != (about or "default"):
            rule = "does not match event.namespace"
            yield names.bad_value("involvedObject.namespace", about, rule)


class BudgetStrategy(Strategy):
    """The rules of disruption budgets."""

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about two limits at once and about limits that are no counts."""
        del world, call, old
        spec = wire.section(new, "spec")
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if least is not None and most is not None:
            rule = "minAvailable and maxUnavailable cannot be both set"
            yield names.bad_value("spec", spec, rule)
        for field, value in (("minAvailable", least), ("maxUnavailable", most)):
            if value is not None and not _is_count(value):
                rule = "must be greater than or equal to 0, or a percentage such as 10%"
                yield names.bad_value(f"spec.{field}", value, rule)
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in _POLICIES:
            yield names.unsupported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES)


def _is_count(value: object) -> bool:
    if isinstance(value, int):
        return value >= 0 and not isinstance(value, bool)
    return isinstance(value, str) and _PERCENT.fullmatch(value) is not None
