"""What stands in the cells of built-in kinds, as the real server fills them."""

from typing import Final

from simulator.api import wire
from simulator.api.columns import Context, Fill, age
from simulator.api.wire import JsonObject

_NONE: Final = "<none>"
_ROLE: Final = "node-role.kubernetes.io/"
_OLD_ROLE: Final = "kubernetes.io/role"


def node_status(node: JsonObject, _context: Context) -> str:
    """Say whether a node is ready and whether it takes new pods."""
    ready = wire.condition(node, "Ready")
    state = "Unknown" if ready is None else "NotReady"
    if ready is not None and ready.get("status") == "True":
        state = "Ready"
    cordoned = wire.section(node, "spec").get("unschedulable")
    return f"{state},SchedulingDisabled" if cordoned else state


def roles(node: JsonObject, _context: Context) -> str:
    """Name a node's roles."""
    labels = wire.section(node, "metadata", "labels")
    found = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    if labels.get(_OLD_ROLE):
        found.add(labels[_OLD_ROLE])
    return wire.joined(sorted(found)) or _NONE


def address(kind: str) -> Fill:
    """Fill a cell with a node's address of a kind."""

    def fill(node: JsonObject, _context: Context) -> object:
        found = wire.items(node, "status", "addresses")
        return next((one.get("address") for one in found if one.get("type") == kind), _NONE)

    return fill


def _containers(pod: JsonObject) -> list[JsonObject]:
    return wire.items(pod, "status", "containerStatuses")


def pod_ready(pod: JsonObject, _context: Context) -> str:
    """Say how many of a pod's containers are ready."""
    ready = sum(bool(one.get("ready")) for one in _containers(pod))
    return f"{ready}/{len(wire.items(pod, 'spec', 'containers'))}"


def pod_status(pod: JsonObject, _context: Context) -> str:
    """Say in one word how a pod is."""
    reason = wire.text(pod, "status", "reason") or wire.text(pod, "status", "phase")
    for container in reversed(_containers(pod)):
        reason = _container_reason(container) or reason
    if not wire.text(pod, "metadata", "deletionTimestamp"):
        return reason
    if wire.text(pod, "status", "reason") == "NodeLost":
        return "Unknown"
    finished = wire.text(pod, "status", "phase") in {"Succeeded", "Failed"}
    return reason if finished else "Terminating"


def _container_reason(container: JsonObject) -> str:
    waiting = wire.text(container, "state", "waiting", "reason")
    ended = wire.section(container, "state", "terminated")
    if waiting or not ended:
        return waiting
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended['exitCode']}"


def restarts(pod: JsonObject, context: Context) -> object:
    """Say how often a pod's containers were restarted."""
    total = sum(int(one.get("restartCount", 0)) for one in _containers(pod))
    ended = [wire.text(one, "lastState", "terminated", "finishedAt") for one in _containers(pod)]
    last = max(filter(None, ended), default="")
    return f"{total} ({age(last, context.now)} ago)" if total and last else str(total)


def readiness_gates(pod: JsonObject, _context: Context) -> str:
    """Say how many of a pod's readiness gates are met."""
    gates = wire.items(pod, "spec", "readinessGates")
    met = sum(_is_met(pod, str(gate.get("conditionType"))) for gate in gates)
    return f"{met}/{len(gates)}" if gates else _NONE


def _is_met(pod: JsonObject, kind: str) -> bool:
    found = wire.condition(pod, kind)
    return found is not None and found.get("status") == "True"


def event_object(event: JsonObject, _context: Context) -> str:
    """Name what an event tells of."""
    about = wire.section(event, "involvedObject")
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_times(event: JsonObject) -> tuple[str, str]:
    first = wire.text(event, "firstTimestamp") or wire.text(event, "eventTime")
    last = wire.text(event, "series", "lastObservedTime") or wire.text(event, "lastTimestamp")
    return first, last or first


def last_seen(event: JsonObject, context: Context) -> str:
    """Say when an event was last seen."""
    return age(_event_times(event)[1], context.now)


def first_seen(event: JsonObject, context: Context) -> str:
    """Say when an event was first seen."""
    return age(_event_times(event)[0], context.now)


def event_count(event: JsonObject, _context: Context) -> int:
    """Say how often an event was seen."""
    return int(wire.section(event, "series").get("count") or event.get("count") or 1)


def event_source(event: JsonObject, _context: Context) -> str:
    """Say who tells of an event."""
    source = wire.section(event, "source")
    component = source.get("component") or event.get("reportingComponent", "")
    return wire.joined([component, source.get("host") or ""])


def event_message(event: JsonObject, _context: Context) -> str:
    """Say what happened."""
    return str(event.get("message", "")).strip()


def limit(field: str) -> Fill:
    """Fill a cell with a limit of a disruption budget."""

    def fill(budget: JsonObject, _context: Context) -> str:
        value = wire.section(budget, "spec").get(field)
        return "N/A" if value is None else str(value)

    return fill


def pods_ready(value: JsonObject, _context: Context) -> str:
    """Say how many of the wanted pods are ready."""
    wanted = wire.section(value, "spec").get("replicas", 1)
    return f"{wire.section(value, 'status').get('readyReplicas', 0)}/{wanted}"


def selector(*path: str) -> Fill:
    """Fill a cell with the labels at a path."""

    def fill(value: JsonObject, _context: Context) -> str:
        found = wire.section(value, *path)
        return wire.joined(f"{key}={one}" for key, one in sorted(found.items())) or _NONE

    return fill


def completions(job: JsonObject, _context: Context) -> str:
    """Say how much of a job is done."""
    done = wire.section(job, "status").get("succeeded", 0)
    return f"{done}/{wire.section(job, 'spec').get('completions', 1)}"


def job_status(job: JsonObject, _context: Context) -> str:
    """Say in one word how a job is."""
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if _is_met(job, kind):
            return shown
    return "Terminating" if wire.text(job, "metadata", "deletionTimestamp") else "Running"


def size(*fields: str) -> Fill:
    """Fill a cell with how many entries some maps have."""
    return lambda value, _context: sum(len(wire.section(value, field)) for field in fields)


def flag(*path: str) -> Fill:
    """Fill a cell with the boolean at a path."""
    return lambda value, _context: bool(wire.section(value, *path[:-1]).get(path[-1]))


def role(binding: JsonObject, _context: Context) -> str:
    """Name the role that a binding gives."""
    return f"{wire.text(binding, 'roleRef', 'kind')}/{wire.text(binding, 'roleRef', 'name')}"
