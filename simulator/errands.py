"""What errands do: programs that repair Pods run on simulated machines, and how they end."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, TypeAlias

import msgspec

from nodehealth import errand
from nodehealth.errand import Program
from nodehealth.outcome import EXIT_CODES, Outcome, Result
from simulator import containers, records, scheduler
from simulator.agenda import Agenda, Dirty
from simulator.ailments import Ailments
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import Census, PodFacts
from simulator.crew import Spawn
from simulator.fault import Trouble
from simulator.hooks import Hooks
from simulator.kubelets import Hardware, Kubelets
from simulator.records import Records
from simulator.timings import Timings

Reboot: TypeAlias = Callable[[str], None]

_KILLED: Final = 255
"""The exit code of a container that was not there any more when its kubelet looked."""
_TROUBLES: Final = {Trouble.REFUSE: Result.REFUSED, Trouble.FAIL: Result.FAILED}


class Errands:
    """The repair Pods of all nodes, from their start to their last words."""

    def __init__(
        self,
        *,
        records_: Records,
        census: Census,
        agenda: Agenda,
        ailments: Ailments,
        kubelets: Kubelets,
        timings: Timings,
        reboot: Reboot,
        hooks: Hooks,
        spawn: Spawn,
        external: frozenset[str] = frozenset(),
    ) -> None:
        self._records = records_
        self._census = census
        self._agenda = agenda
        self._ailments = ailments
        self._kubelets = kubelets
        self._timings = timings
        self._reboot = reboot
        self._hooks, self._spawn, self._external = hooks, spawn, external
        self._begun: dict[str, Hardware] = {}
        """The machine on which each Pod's program was started, by the Pod's UID."""
        self._pods = Dirty(agenda, self._look)
        self._nodes = Dirty(agenda, self._look_at_node)
        census.on_pods(lambda _old, new: self._saw(new))
        census.on_nodes(lambda _old, new: None if new is None else self._nodes.mark(new.name))

    def _saw(self, pod: PodFacts | None) -> None:
        if pod is not None and containers.is_errand(pod) and pod.node and not pod.finished:
            self._pods.mark(pod.key)

    def _look_at_node(self, node: str) -> None:
        for pod in self._census.pods_on(node):
            self._saw(pod)

    def _look(self, key: str) -> None:
        pod = self._census.pods.get(key)
        if pod is None or pod.finished or pod.leaving or not self._kubelets.alive(pod.node):
            return
        begun_on = self._begun.get(pod.uid)
        if begun_on is None:
            self._agenda.after(self._timings.pod_start, partial(self._start, pod))
        elif begun_on is not self._kubelets.hardware[pod.node]:
            self._end(pod, _KILLED, "", reason="Error")

    def _start(self, pod: PodFacts) -> None:
        now, hardware = self._present(pod), self._kubelets.hardware.get(pod.node)
        if now is None or hardware is None or pod.uid in self._begun:
            return
        value = self._records.get(records.PODS, pod.name, pod.namespace) or {}
        if scheduler.wish_of(value, 0).pinned != pod.node:
            self._end(pod, 0, "", reason="NodeAffinity", started=False)
            return
        if self._trouble(pod.node, _words(value)) is Trouble.NO_IMAGE:
            self._say(pod, {"waiting": {"reason": "ImagePullBackOff"}})
            return
        self._begun[pod.uid] = hardware
        since = wire.timestamp(self._records.world.clock())
        self._change(pod, lambda each: containers.run(each, since))
        self._agenda.after(self._timings.errand, partial(self._work, pod, hardware, _words(value)))
        deadline = timedelta(seconds=value["spec"].get("activeDeadlineSeconds", 3600))
        self._agenda.after(deadline, partial(self._expire, pod))

    def _work(self, pod: PodFacts, hardware: Hardware, words: tuple[str, ...]) -> None:
        """Do what the program does, on the machine on which it was started."""
        on = self._kubelets.hardware.get(pod.node) is hardware
        if not on or self._present(pod) is None:
            return
        trouble = self._trouble(pod.node, words)
        if words[words.index(errand.BOOT_ID) + 1] != hardware.boot_id:
            self._tell(pod, Result.REFUSED, "this is another boot than the one that is meant")
        elif trouble is not None:
            if trouble in _TROUBLES:
                self._tell(pod, _TROUBLES[trouble], "as the scenario wants it")
        elif pod.node in self._external:
            self._spawn(self._really(pod, words))
        else:
            self._do(pod, words)

    async def _really(self, pod: PodFacts, words: tuple[str, ...]) -> None:
        """Leave it to whoever stands behind the node, as far as he does anything about it."""
        outcome = await self._hooks.errand(pod.node, words)
        if outcome is None:
            self._do(pod, words)
        elif self._present(pod) is not None:
            self._tell(pod, outcome.result, outcome.message)

    def _do(self, pod: PodFacts, words: tuple[str, ...]) -> None:
        program = Program(words[len(errand.ENTRY)])
        holder = self._holder(pod.node) if program is Program.RESET_GPU else ""
        if holder:
            self._tell(pod, Result.REFUSED, f"{holder} holds the GPU")
        elif program is Program.REBOOT:
            self._reboot(pod.node)
        else:
            for each in self._ailments.of(pod.node):
                if program in each.fault.mended_by:
                    self._ailments.end(pod.node, each.number)
            self._tell(pod, Result.DONE, f"{program} is done")

    def _holder(self, node: str) -> str:
        """Name a pod that keeps a node's GPUs from being reset."""
        held = (each for each in self._census.pods_on(node) if not each.finished)
        return next((each.key for each in held if each.gpus or each.holds_gpus), "")

    def _trouble(self, node: str, words: tuple[str, ...]) -> Trouble | None:
        program = words[len(errand.ENTRY)]
        troubles = self._ailments.symptoms(node).troubles
        return next((each for name, each in troubles if name in {"", program}), None)

    def _expire(self, pod: PodFacts) -> None:
        if self._present(pod) is not None:
            self._end(pod, 137, "", reason="DeadlineExceeded")

    def _tell(self, pod: PodFacts, result: Result, message: str) -> None:
        hardware = self._begun[pod.uid]
        outcome = Outcome(result=result, message=message, boot_id=hardware.boot_id)
        code = EXIT_CODES[result]
        self._end(pod, code, msgspec.json.encode(outcome).decode(), reason="Completed")

    def _end(
        self, pod: PodFacts, code: int, message: str, *, reason: str, started: bool = True
    ) -> None:
        ended = {"exitCode": code, "reason": reason, "message": message}

        def finished(value: JsonObject) -> None:
            status = wire.made(value, "status")
            status["phase"] = "Failed" if code or not started else "Succeeded"
            if reason in {"DeadlineExceeded", "NodeAffinity"}:
                status["reason"] = reason
            if started:
                status["containerStatuses"] = _statuses({"terminated": ended})

        self._change(pod, finished)

    def _say(self, pod: PodFacts, state: JsonObject) -> None:
        def said(value: JsonObject) -> None:
            wire.made(value, "status")["containerStatuses"] = _statuses(state)

        self._change(pod, said)

    def _present(self, pod: PodFacts) -> PodFacts | None:
        """Return a Pod as it is if it still is the one, unfinished, and its kubelet lives."""
        now = self._census.pods.get(pod.key)
        if now is None or now.uid != pod.uid or now.finished or now.leaving:
            return None
        return now if self._kubelets.alive(pod.node) else None

    def _change(self, pod: PodFacts, change: records.Change) -> None:
        self._records.change(records.PODS, pod.name, change, namespace=pod.namespace, uid=pod.uid)


def _words(pod: JsonObject) -> tuple[str, ...]:
    return tuple(pod["spec"]["containers"][0]["command"])


def _statuses(state: JsonObject) -> list[JsonObject]:
    return [{"name": errand.CONTAINER, "ready": False, "restartCount": 0, "state": state}]
