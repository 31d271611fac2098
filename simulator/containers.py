"""What kubelets do with pods: start those bound to their node, end those that are to go."""

from datetime import timedelta

from nodehealth import keys
from simulator import records
from simulator.agenda import Agenda, Dirty
from simulator.ailments import Ailments
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import Census, PodFacts
from simulator.kubelets import Kubelets
from simulator.records import Records
from simulator.timings import Timings

_STARTED = ("Initialized", "PodScheduled")
_READY = ("ContainersReady", "Ready")


class Containers:
    """The pods of all nodes whose kubelets live; those of dead kubelets stay as they are."""

    def __init__(
        self,
        records_: Records,
        census: Census,
        agenda: Agenda,
        kubelets: Kubelets,
        ailments: Ailments,
        timings: Timings,
    ) -> None:
        self._records = records_
        self._census = census
        self._agenda = agenda
        self._kubelets = kubelets
        self._timings = timings
        self._pods = Dirty(agenda, self._look)
        self._nodes = Dirty(agenda, self._look_at_node)
        census.on_pods(lambda _old, new: self._saw(new))
        census.on_nodes(lambda _old, new: None if new is None else self._nodes.mark(new.name))
        self._dead = set[str]()
        """Nodes whose kubelets died since they were looked at last."""
        ailments.on_change(self._turned)
        for pod in census.pods.values():
            self._saw(pod)

    def _saw(self, pod: PodFacts | None) -> None:
        if pod is not None and pod.node in self._kubelets.hardware and _unfinished(pod):
            self._pods.mark(pod.key)

    def _turned(self, node: str) -> None:
        """Note a kubelet that died; one that starts again looks at all its pods, as it should."""
        if not self._kubelets.alive(node):
            self._dead.add(node)
        elif node in self._dead:
            self._dead.remove(node)
            self._nodes.mark(node)

    def _look_at_node(self, node: str) -> None:
        """A Node changed; if its kubelet came back to life, its pods need a look."""
        if self._kubelets.alive(node):
            for pod in self._census.pods_on(node):
                if _unfinished(pod):
                    self._pods.mark(pod.key)

    def _look(self, key: str) -> None:
        pod = self._census.pods.get(key)
        if pod is None or not self._kubelets.alive(pod.node):
            return
        if is_errand(pod) and not pod.leaving:
            return
        if pod.grace is not None:
            pause = timedelta(seconds=min(pod.grace, pod.stops_after))
            self._agenda.after(pause, lambda: self._end(pod))
        elif not pod.ready and not pod.finished:
            self._agenda.after(self._timings.pod_start, lambda: self._start(pod))
        elif pod.runs_for and not pod.finished:
            self._agenda.after(timedelta(seconds=pod.runs_for), lambda: self._complete(pod))

    def _end(self, pod: PodFacts) -> None:
        """Confirm that the containers have ended: only now the pod goes."""
        if self._kubelets.alive(pod.node):
            self._records.remove(
                records.PODS, pod.name, namespace=pod.namespace, uid=pod.uid, grace=0
            )

    def _start(self, pod: PodFacts) -> None:
        now = self._census.pods.get(pod.key)
        if now is None or now.leaving or not self._kubelets.alive(pod.node):
            return
        since = wire.timestamp(self._records.world.clock())
        self._change(pod, lambda value: run(value, since))

    def _complete(self, pod: PodFacts) -> None:
        now = self._census.pods.get(pod.key)
        if now is None or now.leaving or now.finished or not self._kubelets.alive(pod.node):
            return

        def completed(value: JsonObject) -> None:
            value["status"]["phase"] = "Succeeded"
            _set(value, dict.fromkeys(_READY, "False"), self._since(), "PodCompleted")

        self._change(pod, completed)

    def _since(self) -> str:
        return wire.timestamp(self._records.world.clock())

    def _change(self, pod: PodFacts, change: records.Change) -> None:
        self._records.change(records.PODS, pod.name, change, namespace=pod.namespace, uid=pod.uid)


def is_errand(pod: PodFacts) -> bool:
    """Tell whether a pod is a repair Pod, whose program is more to us than that it runs."""
    return pod.namespace == keys.REPAIR_NAMESPACE


def run(pod: JsonObject, since: str) -> None:
    """Turn a pod into one whose containers run and are ready."""
    status = wire.made(pod, "status")
    status["phase"] = "Running"
    status.setdefault("startTime", since)
    status["containerStatuses"] = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": since}},
            "lastState": {},
        }
        for container in pod["spec"]["containers"]
    ]
    _set(pod, dict.fromkeys((*_STARTED, *_READY), "True"), since)


def unready(pod: JsonObject, since: str, reason: str) -> None:
    """Mark a pod as not ready."""
    _set(pod, {"Ready": "False"}, since, reason)


def _set(pod: JsonObject, states: dict[str, str], since: str, reason: str = "") -> None:
    entries = wire.items(pod, "status", "conditions")
    before = {each["type"]: each for each in entries}
    for kind, state in states.items():
        if before.get(kind, {}).get("status") == state:
            continue
        entry = {"type": kind, "status": state, "lastProbeTime": None, "lastTransitionTime": since}
        before[kind] = {**entry, "reason": reason} if reason else entry
    wire.made(pod, "status")["conditions"] = list(before.values())


def _unfinished(pod: PodFacts) -> bool:
    """Tell whether the kubelet has something left to do for a pod."""
    return pod.leaving or (not pod.finished and (not pod.ready or pod.runs_for > 0))
