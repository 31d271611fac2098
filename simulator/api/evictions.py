"""The eviction subresource of pods: every answer that the real server gives, in its order."""

from dataclasses import replace
from typing import Final

from simulator.api import deletion, disruptions, selectors, status, wire
from simulator.api.calls import Call
from simulator.api.deletion import Options
from simulator.api.status import Cause, StatusError
from simulator.api.wire import JsonObject
from simulator.api.world import World
from simulator.api.writes import Writes, terminating

BUDGETS: Final = "poddisruptionbudgets.policy"
MOST_DISRUPTED: Final = 2000
_SEVERAL: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
_VIOLATES: Final = "Cannot evict pod as it would violate the pod's disruption budget."
_PAST_BUDGETS: Final = frozenset({"Succeeded", "Failed", "Pending"})
_TERMINAL: Final = frozenset({"Succeeded", "Failed"})
_VERSIONS: Final = frozenset({"policy/v1", "policy/v1beta1"})


class Evictions:
    """Evicts pods within their disruption budgets."""

    def __init__(self, world: World, writes: Writes) -> None:
        self._world = world
        self._writes = writes

    def evict(self, call: Call, body: JsonObject) -> bytes:
        """Evict the pod, or say why not.

        Raises:
            StatusError: in the words of the real server.
        """
        self._check_namespace(call)
        _check_body(call, body)
        delete = wire.section(body, "deleteOptions")
        call = _with_dry_run(call, delete)
        wanted = deletion.options(call, delete)
        pod = self._world.find(call.kind, call.namespace, call.name)
        if pod is None:
            raise status.not_found("pods", call.name)
        if not _ignores_budgets(pod):
            self._spend(call, pod)  # before the preconditions are looked at, as the real server
        self._go(call, pod, wanted)
        return wire.encode(status.success(code=201))

    def _check_namespace(self, call: Call) -> None:
        found = self._world.find(self._world.kinds.named("namespaces"), "", call.namespace)
        if found is not None and wire.text(found, "metadata", "deletionTimestamp"):
            raise terminating("pods", call.name, call.namespace)

    def _go(self, call: Call, pod: JsonObject, wanted: Options) -> None:
        deletion.check(call, pod, wanted)
        if not call.dry_run:
            self._announce(call, pod)
            wanted = _without_version(wanted)
        deletion.delete(self._world, call, wanted)

    def _announce(self, call: Call, pod: JsonObject) -> None:
        entry = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": wire.timestamp(call.at),
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        before = wire.condition(pod, "DisruptionTarget")
        if before is not None and before.get("status") == "True":
            entry["lastTransitionTime"] = before.get("lastTransitionTime")

        def announced(value: JsonObject) -> JsonObject:
            conditions = wire.items(value, "status", "conditions")
            others = [one for one in conditions if one.get("type") != "DisruptionTarget"]
            wire.made(value, "status")["conditions"] = [*others, entry]
            return value

        self._writes.change(_at(call, "update", call.kind.resource, self._world), announced)

    def _spend(self, call: Call, pod: JsonObject) -> None:
        """Take the eviction from the pod's budget, or refuse it."""
        budgets = self._budgets(call, pod)
        if len(budgets) > 1:
            raise status.internal(_SEVERAL)
        if not budgets or _is_harmless(pod, budgets[0]):
            return
        spent = _decremented(call, budgets[0])
        if call.dry_run:
            return
        name = wire.text(budgets[0], "metadata", "name")
        self._writes.change(
            _at(call, "update", BUDGETS, self._world, name=name),
            lambda budget: {**budget, "status": spent},
        )

    def _budgets(self, call: Call, pod: JsonObject) -> list[JsonObject]:
        labels = wire.section(pod, "metadata", "labels")
        shelf = self._world.store.shelf(self._world.kinds.named(BUDGETS))
        found = [wire.load(entry.body) for entry in shelf.within(call.namespace)]
        return [
            budget
            for budget in found
            if selectors.of_object(wire.section(budget, "spec").get("selector")).matches(labels)
        ]


def _check_body(call: Call, body: JsonObject) -> None:
    version = body.get("apiVersion", "policy/v1")
    if version not in _VERSIONS or body.get("kind", "Eviction") != "Eviction":
        raise status.bad_request(f"no kind {body.get('kind')} is registered for {version}")
    if wire.text(body, "metadata", "name") != call.name:
        raise status.bad_request("name in URL does not match name in Eviction object")


def _with_dry_run(call: Call, delete: JsonObject) -> Call:
    asked = delete.get("dryRun") or []
    if call.dry_run or not asked:
        return call
    query = {**call.query, "dryRun": str(asked[0])}
    return replace(call, query=query)


def _at(call: Call, verb: str, resource: str, world: World, *, name: str = "") -> Call:
    return replace(
        call,
        verb=verb,
        kind=world.kinds.named(resource),
        name=name or call.name,
        subresource="status",
        query={"fieldManager": "kube-apiserver"},
    )


def _without_version(wanted: Options) -> Options:
    return Options(grace=wanted.grace, uid=wanted.uid, finalizer=wanted.finalizer)


def _ignores_budgets(pod: JsonObject) -> bool:
    leaves = bool(wire.text(pod, "metadata", "deletionTimestamp"))
    return leaves or wire.text(pod, "status", "phase") in _PAST_BUDGETS


def _is_harmless(pod: JsonObject, budget: JsonObject) -> bool:
    """Tell whether the pod is unhealthy and its going costs the budget nothing."""
    ready = wire.condition(pod, "Ready")
    if ready is not None and ready.get("status") == "True":
        return False
    if wire.text(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    found = wire.section(budget, "status")
    desired = int(found.get("desiredHealthy", 0))
    return int(found.get("currentHealthy", 0)) >= desired > 0


def _blocked(message: str, *, seconds: int = 0) -> StatusError:
    cause = Cause(reason="DisruptionBudget", message=message)
    return status.too_many_requests(_VIOLATES, seconds=seconds, causes=(cause,))


def _decremented(call: Call, budget: JsonObject) -> JsonObject:
    """Return the budget's status after one more eviction."""
    metadata, found = budget["metadata"], wire.section(budget, "status")
    name, allowed = metadata["name"], int(found.get("disruptionsAllowed", 0))
    if found.get("observedGeneration", 0) < metadata.get("generation", 0):
        why = f"The disruption budget {name} is still being processed by the server."
        raise _blocked(why, seconds=10)
    if allowed < 0:
        raise _refused(name, "pdb disruptions allowed is negative")
    disrupted = wire.section(found, "disruptedPods")
    if len(disrupted) > MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise _refused(name, why)
    if allowed == 0:
        raise _blocked(_spent(budget, found))
    noted = {**disrupted, call.name: wire.timestamp(call.at)}
    spent = {**found, "disruptionsAllowed": allowed - 1, "disruptedPods": noted}
    if allowed > 1:
        return spent
    return disruptions.with_condition(budget, spent, reason="InsufficientPods", now=call.at)


def _refused(name: str, why: str) -> StatusError:
    return status.forbidden("poddisruptionbudget.policy", name, why)


def _spent(budget: JsonObject, found: JsonObject) -> str:
    name, failed = budget["metadata"]["name"], wire.condition(budget, "DisruptionAllowed")
    if failed is not None and failed.get("reason") == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it "
            f"failed sync: {failed.get('message')}"
        )
    return (
        f"The disruption budget {name} needs {found.get('desiredHealthy', 0)} healthy pods and "
        f"has {found.get('currentHealthy', 0)} currently"
    )
