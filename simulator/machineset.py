"""The owner of the machines: what is deleted is replaced, what is to be rebooted is rebooted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

import yaml

from nodehealth.kit.settings import SettingsError
from simulator import machines, records, scenario
from simulator.agenda import Agenda, Dirty
from simulator.ailments import Ailments
from simulator.api import wire
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.crew import Spawn
from simulator.hooks import Hooks
from simulator.kubelets import Hardware, Kubelets
from simulator.machines import (
    FAULT_ANNOTATION,
    FINALIZER,
    REBOOT_ANNOTATION,
    REBOOTS_KEPT,
    Phase,
    Power,
)
from simulator.records import Records
from simulator.scenario import Injection, Pool
from simulator.timings import Timings

Inject: TypeAlias = Callable[[str, Injection], None]

BAD_FAULT_ANNOTATION: Final = f"{FAULT_ANNOTATION}-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node that the scenario wants."""

    name: str
    pool: Pool
    zone: str

    @property
    def external(self) -> bool:
        """Tell whether the node's agent is not simulated."""
        return self.name in self.pool.external


class MachineSet:
    """Keeps one machine running for every place."""

    def __init__(
        self,
        *,
        records_: Records,
        agenda: Agenda,
        ailments: Ailments,
        kubelets: Kubelets,
        timings: Timings,
        places: Mapping[str, Place],
        hooks: Hooks,
        spawn: Spawn,
        inject: Inject,
    ) -> None:
        self._records = records_
        self._agenda = agenda
        self._ailments = ailments
        self._kubelets = kubelets
        self._timings = timings
        self._places = places
        self._hooks = hooks
        self._spawn = spawn
        self._inject = inject
        self._ordered: set[str] = set()
        """The UIDs of the machines whose provisioning is under way."""
        self._booting: set[str] = set()
        """The UIDs of the machines that are about to be on again, or off."""
        self._wishes: dict[str, str] = {}
        """What each machine's fault annotation said last."""
        self._names = Dirty(agenda, self._look)
        records_.world.store.on_commit(self._saw)
        ailments.on_change(self._saw_ailment)

    def boot(self, place: Place, machine_uid: str) -> Hardware:
        """Return a machine's hardware as of a boot that begins now."""
        return Hardware(
            node=place.name,
            pool=place.pool,
            zone=place.zone,
            machine_uid=machine_uid,
            boot_id=self._records.world.uid(),
            booted_at=self._now(),
        )

    def reboot(self, name: str) -> None:
        """Bring a machine down from within, and up again after a while."""
        machine = self._records.get(records.MACHINES, name)
        if machine is not None and wire.text(machine, "status", "phase") == Phase.RUNNING:
            uid = machine["metadata"]["uid"]
            self._power_off(name, uid, Phase.OFF)
            self._switch(name, uid, self._timings.reboot)

    def _saw(self, change: Change) -> None:
        if change.resource == records.MACHINES:
            self._names.mark(change.new.key)

    def _saw_ailment(self, node: str) -> None:
        machine = self._records.get(records.MACHINES, node)
        if machine is None:
            self._names.mark(node)
        else:
            self._note(node, machine["metadata"]["uid"], self._power(node))

    def _power(self, name: str) -> JsonObject:
        """Return what a machine's status has to say of its power."""
        on = name in self._kubelets.hardware and not self._ailments.symptoms(name).powerless
        return {"power": Power.ON if on else Power.OFF}

    def _look(self, name: str) -> None:
        machine = self._records.get(records.MACHINES, name)
        if machine is None:
            self._wishes.pop(name, None)
            self._order(name)
            return
        phase = wire.text(machine, "status", "phase")
        if machine["metadata"].get("deletionTimestamp"):
            if phase != Phase.TERMINATING:
                self._terminate(name, machine["metadata"]["uid"])
        elif phase in {"", Phase.PROVISIONING}:
            self._provision(name, machine["metadata"]["uid"])
        else:
            self._heed(name, machine)

    def _order(self, name: str) -> None:
        place = self._places.get(name)
        if place is not None and not self._ailments.symptoms(name).never_replaced:
            self._records.insert(records.MACHINES, new_machine(place))

    def _provision(self, name: str, uid: str) -> None:
        if uid not in self._ordered:
            self._ordered.add(uid)
            self._agenda.after(self._timings.provision, partial(self._start, name, uid))

    def _start(self, name: str, uid: str) -> None:
        self._ordered.discard(uid)
        if self._stands(name, uid, Phase.PROVISIONING):
            self._power_on(name, uid)

    def _power_on(self, name: str, uid: str, boot_id: str = "") -> None:
        """Boot a machine; one that claims a boot that it had before never really went down."""
        hardware = self.boot(self._places[name], uid)
        hardware = replace(hardware, boot_id=boot_id) if boot_id else hardware
        node = self._kubelets.power_on(hardware)
        node_uid = node["metadata"]["uid"]
        self._note(name, uid, {**running(hardware, node_uid), **self._power(name)})
        if self._places[name].external:
            self._spawn(self._hooks.machine_started(name, node_uid, hardware.boot_id))

    def _power_off(self, name: str, uid: str, phase: Phase) -> None:
        was_on = name in self._kubelets.hardware
        self._kubelets.power_off(name)
        self._note(name, uid, {"phase": phase, **self._power(name)})
        if was_on and self._places[name].external:
            self._spawn(self._hooks.machine_gone(name))

    def _terminate(self, name: str, uid: str) -> None:
        self._power_off(name, uid, Phase.TERMINATING)
        self._agenda.after(self._timings.terminate, partial(self._finish, name, uid))

    def _finish(self, name: str, uid: str) -> None:
        """Let the Node go first and the machine last, as machine owners do."""
        node = self._records.get(records.NODES, name)
        if node is not None and node["spec"].get("providerID") == machines.provider_id(uid):
            self._records.remove(records.NODES, name, uid=node["metadata"]["uid"])
        self._ailments.replaced(name)
        self._records.change(records.MACHINES, name, _without_finalizer, uid=uid)

    def _heed(self, name: str, machine: JsonObject) -> None:
        """Do what the machine's annotations ask for."""
        uid = machine["metadata"]["uid"]
        notes = wire.section(machine, "metadata", "annotations")
        key = notes.get(REBOOT_ANNOTATION, "")
        done: list[str] = wire.section(machine, "status").get("reboots", [])
        if key and key not in done:
            self._note(name, uid, {"reboots": [*done, key][-REBOOTS_KEPT:]})
            if wire.text(machine, "status", "phase") == Phase.RUNNING:
                self._power_off(name, uid, Phase.OFF)
            self._switch(name, uid, self._timings.reboot)
        wanted = Phase.OFF if machine["spec"].get("power") == Power.OFF else Phase.RUNNING
        if wire.text(machine, "status", "phase") != wanted:
            self._switch(name, uid, self._timings.power)
        wish = notes.get(FAULT_ANNOTATION, "")
        if wish != self._wishes.get(name, ""):
            self._wishes[name] = wish
            self._befall(name, uid, wish)

    def _switch(self, name: str, uid: str, pause: timedelta) -> None:
        """Bring a machine, after a while, into the state of power that is wanted of it then."""
        if uid not in self._booting:
            self._booting.add(uid)
            self._agenda.after(pause, partial(self._switched, name, uid))

    def _switched(self, name: str, uid: str) -> None:
        self._booting.discard(uid)
        machine = self._records.get(records.MACHINES, name) or {}
        wanted_off = wire.text(machine, "spec", "power") == Power.OFF
        if not wanted_off and self._stands(name, uid, Phase.OFF):
            symptoms = self._ailments.symptoms(name)
            if symptoms.never_boots:
                return
            if symptoms.same_boot:
                self._power_on(name, uid, wire.text(machine, "status", "bootID"))
                return
            self._ailments.rebooted(name)
            self._power_on(name, uid)
        elif wanted_off and self._stands(name, uid, Phase.RUNNING):
            self._power_off(name, uid, Phase.OFF)

    def _befall(self, name: str, uid: str, wish: str) -> None:
        """Make the machine sick as its annotation says, or say there what is wrong with that."""
        complaint = ""
        try:
            if wish:
                self._inject(name, scenario.injection(yaml.safe_load(wish), FAULT_ANNOTATION))
            else:
                self._ailments.clear(name)
        except (SettingsError, yaml.YAMLError) as wrong:
            complaint = str(wrong)
        self._records.change(records.MACHINES, name, partial(_complain, complaint), uid=uid)

    def _stands(self, name: str, uid: str, phase: Phase) -> bool:
        """Tell whether the machine is still there, wanted, and in a phase."""
        machine = self._records.get(records.MACHINES, name) or {"metadata": {}}
        metadata = machine["metadata"]
        found = wire.text(machine, "status", "phase") or Phase.PROVISIONING
        return (
            metadata.get("uid") == uid and not metadata.get("deletionTimestamp") and found == phase
        )

    def _note(self, name: str, uid: str, status: JsonObject) -> None:
        def noted(machine: JsonObject) -> None:
            wire.made(machine, "status").update(status)

        self._records.change(records.MACHINES, name, noted, uid=uid)

    def _now(self) -> datetime:
        return self._records.world.clock()


def new_machine(place: Place) -> JsonObject:
    """Return the machine that is ordered for a place."""
    annotations = {machines.REAL_AGENT_ANNOTATION: "true"} if place.external else {}
    return {
        "metadata": {"name": place.name, "finalizers": [FINALIZER], "annotations": annotations},
        "spec": {"pool": place.pool.name},
        "status": {"phase": Phase.PROVISIONING},
    }


def running(hardware: Hardware, node_uid: str) -> JsonObject:
    """Return what a machine's status says while it runs."""
    return {
        "phase": Phase.RUNNING,
        "power": Power.ON,
        "nodeUID": node_uid,
        "providerID": machines.provider_id(hardware.machine_uid),
        "bootID": hardware.boot_id,
    }


def _without_finalizer(machine: JsonObject) -> None:
    finalizers = machine["metadata"].get("finalizers", [])
    machine["metadata"]["finalizers"] = [each for each in finalizers if each != FINALIZER]


def _complain(complaint: str, machine: JsonObject) -> None:
    notes = wire.made(machine, "metadata", "annotations")
    if complaint:
        notes[BAD_FAULT_ANNOTATION] = complaint
    else:
        notes.pop(BAD_FAULT_ANNOTATION, None)
