"""Pods: what admission fills in, and how little of a pod may change later."""

from collections.abc import Iterator, Mapping
from typing import Final

from simulator.api import names, status, wire
from simulator.api.calls import Call
from simulator.api.status import Cause
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

GRACE: Final = 30
_SYSTEM: Final = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}
_DEFAULTS: Final[Mapping[str, object]] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": GRACE,
    "dnsPolicy": "ClusterFirst",
    "serviceAccountName": "default",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
}
_CHANGEABLE: Final = frozenset(
    {"tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "schedulingGates"}
)
_IMMUTABLE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_POLICIES: Final = ("Always", "OnFailure", "Never")


class PodStrategy(Strategy):
    """The rules of pods."""

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Fill in at creation what the server's defaults and admission plugins fill in."""
        if old is not None:
            return
        spec = wire.made(new, "spec")
        _default(spec)
        _prioritise(world, call, spec)
        _tolerate(spec)
        new["status"] = {"phase": "Pending", "qosClass": _quality(spec)}

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about pods without containers and about changes to a pod's spec."""
        del world
        if old is not None:
            if not call.subresource:
                yield from _changes(new, old)
            return
        containers = wire.items(new, "spec", "containers")
        if not containers:
            yield names.required("spec.containers")
        for place, container in enumerate(containers):
            for field in ("name", "image"):
                if not container.get(field):
                    yield names.required(f"spec.containers[{place}].{field}")
        policy = new["spec"].get("restartPolicy")
        if policy not in _POLICIES:
            yield names.unsupported("spec.restartPolicy", policy, _POLICIES)


def _default(spec: JsonObject) -> None:
    for key, value in _DEFAULTS.items():
        if spec.get(key) is None:
            spec[key] = wire.clone(value)
    spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*wire.items(spec, "containers"), *wire.items(spec, "initContainers")]:
        container.setdefault("resources", {})
        container.setdefault("imagePullPolicy", _pull(str(container.get("image", ""))))
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")


def _pull(image: str) -> str:
    last = image.rpartition("/")[2]
    floating = "@" not in last and (":" not in last or last.endswith(":latest"))
    return "Always" if floating else "IfNotPresent"


def _prioritise(world: World, call: Call, spec: JsonObject) -> None:
    name = spec.get("priorityClassName") or _default_class(world)
    if not name:
        spec.setdefault("priority", 0)
        return
    spec["priorityClassName"] = name
    if name in _SYSTEM:
        spec["priority"] = _SYSTEM[name]
        return
    found = world.find(world.kinds.named("priorityclasses.scheduling.k8s.io"), "", name)
    if found is None:
        raise status.forbidden("pods", call.name, f"no PriorityClass with name {name} was found")
    spec["priority"] = found.get("value", 0)
    spec["preemptionPolicy"] = found.get("preemptionPolicy", "PreemptLowerPriority")


def _default_class(world: World) -> str:
    shelf = world.store.shelf(world.kinds.named("priorityclasses.scheduling.k8s.io"))
    for entry in shelf.entries.values():
        value = wire.load(entry.body)
        if value.get("globalDefault"):
            return wire.text(value, "metadata", "name")
    return ""


def _tolerate(spec: JsonObject) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for condition in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{condition}"
        if not any(_covers(one, key) for one in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )


def _covers(toleration: JsonObject, key: str) -> bool:
    any_key = not toleration.get("key") and toleration.get("operator") == "Exists"
    return (any_key or toleration.get("key") == key) and toleration.get("effect") in {
        None,
        "",
        "NoExecute",
    }


def _quality(spec: JsonObject) -> str:
    resources = [container["resources"] for container in wire.items(spec, "containers")]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    for one in resources:
        limits = one.get("limits") or {}
        if not {"cpu", "memory"} <= limits.keys() or one.get("requests", limits) != limits:
            return "Burstable"
    return "Guaranteed"


def _frozen(value: JsonObject) -> JsonObject:
    spec = wire.section(value, "spec")
    kept = {key: item for key, item in spec.items() if key not in _CHANGEABLE and item}
    for group in ("containers", "initContainers"):
        kept[group] = [{**one, "image": ""} for one in wire.items(spec, group)]
    return kept


def _changes(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    tolerated = wire.items(new, "spec", "tolerations")
    lost = [one for one in wire.items(old, "spec", "tolerations") if one not in tolerated]
    if lost or _frozen(new) != _frozen(old):
        yield names.not_ours("spec", _IMMUTABLE)
