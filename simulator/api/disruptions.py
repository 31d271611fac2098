"""How many pods of a disruption budget may be disrupted now: the controller's arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import OwnerReference, Pod
from simulator.api import wire
from simulator.api.wire import JsonObject

DELETION_TIMEOUT: Final = timedelta(minutes=2)
"""How long an evicted pod counts as gone although it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a budget's status says."""

    expected: int
    desired: int
    healthy: int
    disrupted: Mapping[str, str]

    @property
    def allowed(self) -> int:
        """Return how many pods may be disrupted."""
        return max(0, self.healthy - self.desired) if self.expected > 0 else 0


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod counts as healthy."""
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def scaled(limit: int | str, total: int) -> int:
    """Turn a count or a percentage into a count; a percentage is rounded up."""
    if isinstance(limit, int):
        return limit
    return -(-int(limit.removesuffix("%")) * total // 100)


def controller(pod: Pod) -> OwnerReference | None:
    """Return the reference to the controller of a pod."""
    return next((owner for owner in pod.metadata.owner_references if owner.controller), None)


def needs_scale(budget: JsonObject) -> bool:
    """Tell whether a budget counts by its pods' controllers and not by its pods."""
    spec = wire.section(budget, "spec")
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def counts(budget: JsonObject, pods: Sequence[Pod], scale: int, now: datetime) -> Counts:
    """Count what a budget's status must say; scale is the sum over the pods' controllers."""
    expected, desired = _wanted(wire.section(budget, "spec"), len(pods), scale)
    staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    disrupted = _still_disrupted(budget, staying, now)
    healthy = sum(is_ready(pod) and pod.metadata.name not in disrupted for pod in staying)
    return Counts(expected=expected, desired=desired, healthy=healthy, disrupted=disrupted)


def recheck(found: Counts) -> datetime | None:
    """Return when the first disrupted pod stops counting as gone."""
    times = [wire.instant(time) + DELETION_TIMEOUT for time in found.disrupted.values()]
    return min(times, default=None)


def _wanted(spec: JsonObject, pods: int, scale: int) -> tuple[int, int]:
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        return scale, max(0, scale - scaled(most, scale))
    if isinstance(least, str):
        return scale, scaled(least, scale)
    return (pods, least) if least is not None else (0, 0)


def _still_disrupted(budget: JsonObject, staying: Iterable[Pod], now: datetime) -> dict[str, str]:
    noted = wire.section(budget, "status", "disruptedPods")
    names = {pod.metadata.name for pod in staying}
    return {
        name: time
        for name, time in noted.items()
        if name in names and wire.instant(time) + DELETION_TIMEOUT > now
    }


def status_of(budget: JsonObject, found: Counts, now: datetime) -> JsonObject:
    """Return the status that a budget shall have."""
    status: JsonObject = {
        "observedGeneration": wire.section(budget, "metadata").get("generation", 0),
        "disruptionsAllowed": found.allowed,
        "currentHealthy": found.healthy,
        "desiredHealthy": found.desired,
        "expectedPods": found.expected,
    }
    if found.disrupted:
        status["disruptedPods"] = dict(found.disrupted)
    reason = "SufficientPods" if found.allowed else "InsufficientPods"
    return with_condition(budget, status, reason=reason, now=now)


def failed(budget: JsonObject, why: str, now: datetime) -> JsonObject:
    """Return the status of a budget whose pods cannot be counted: nothing is allowed."""
    status = {**wire.section(budget, "status"), "disruptionsAllowed": 0}
    for count in ("currentHealthy", "desiredHealthy", "expectedPods"):
        status.setdefault(count, 0)
    return with_condition(budget, status, reason="SyncFailed", now=now, message=why)


def with_condition(
    budget: JsonObject, status: JsonObject, *, reason: str, now: datetime, message: str = ""
) -> JsonObject:
    """Return a status with the condition DisruptionAllowed set to what it says."""
    before = wire.condition(budget, "DisruptionAllowed")
    state = "True" if status.get("disruptionsAllowed") else "False"
    since = wire.timestamp(now)
    if before is not None and before.get("status") == state:
        since = before["lastTransitionTime"]
    entry = {
        "type": "DisruptionAllowed",
        "status": state,
        "observedGeneration": status.get("observedGeneration", 0),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return {**status, "conditions": [entry]}
