"""Where the observer stands: it hears the API server's commits and requests, and nothing else."""

from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Node, Pod
from nodehealth.ledger import RepairLedger
from simulator import records
from simulator.api.audit import AuditEntry
from simulator.api.server import ApiServer
from simulator.api.store import Change, Entry
from simulator.machines import REBOOT_ANNOTATION, Machine, Power
from simulator.observer import Observer
from simulator.witnessed import (
    Asked,
    LedgerChanged,
    MachineChanged,
    NodeChanged,
    NodeSeen,
    PodBound,
    Seen,
    Sent,
)

_JSON_PATCH: Final = "application/json-patch+json"
_CHANGES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_nodes = msgspec.json.Decoder(Node)
_pods = msgspec.json.Decoder(Pod)
_ledgers = msgspec.json.Decoder(RepairLedger)
_machines = msgspec.json.Decoder(Machine)


class _Operation(msgspec.Struct):
    op: str = ""


_operations = msgspec.json.Decoder(list[_Operation])


def attach(observer: Observer, api: ApiServer, user: str) -> None:
    """Let an observer see what there is and what happens; the user is the remediator's."""

    def on_commit(change: Change) -> None:
        seen = _fact(change)
        if seen is not None:
            observer.see(seen)

    def on_request(entry: AuditEntry) -> None:
        if entry.verb in _CHANGES and entry.code < 300 and not entry.dry_run:
            observer.see(_request(entry, user))

    for change in api.world.store.present():
        on_commit(change)
    api.on_commit(on_commit)
    api.on_request(on_request)


def _fact(change: Change) -> Seen | None:
    entry = change.now
    name = change.new.fields["metadata.name"]
    match change.resource:
        case records.NODES:
            node = None if entry is None else _node(entry)
            return NodeChanged(at=change.at, name=name, node=node)
        case records.PODS:
            node_name = "" if entry is None else entry.fields["spec.nodeName"]
            sent = None if entry is None else _sent(entry)
            return PodBound(at=change.at, key=change.new.key, node=node_name, sent=sent)
        case records.MACHINES:
            if entry is None:
                return MachineChanged(at=change.at, name=name)
            machine = _machines.decode(entry.body)
            return MachineChanged(
                at=change.at,
                name=name,
                uid=machine.metadata.uid,
                reboot=machine.metadata.annotations.get(REBOOT_ANNOTATION, ""),
                off=machine.status.power is Power.OFF,
                switched_off=machine.spec.power is Power.OFF,
                boot_id=machine.status.boot_id,
            )
        case records.LEDGERS if entry is not None:
            status = _ledgers.decode(entry.body).status
            slots = {name: slot.repair for name, slot in status.slots.items()}
            return LedgerChanged(at=change.at, epoch=status.epoch, slots=slots)
    return None


def _sent(entry: Entry) -> Sent | None:
    if entry.fields["metadata.namespace"] != keys.REPAIR_NAMESPACE:
        return None
    pod = _pods.decode(entry.body)
    owners = pod.metadata.owner_references
    return Sent(
        uid=pod.metadata.uid,
        program=pod.metadata.name.rpartition("-")[0],
        repair=next((each.name for each in owners), ""),
        runs=pod.status.phase == "Running",
    )


def _node(entry: Entry) -> NodeSeen:
    node = _nodes.decode(entry.body)
    return NodeSeen(
        name=node.metadata.name,
        uid=node.metadata.uid,
        pool=node.metadata.labels.get(keys.POOL_LABEL, ""),
        labels=node.metadata.labels,
        boot_id=node.status.node_info.boot_id,
        ready=any(
            each.type == "Ready" and each.status == "True" for each in node.status.conditions
        ),
        unschedulable=node.spec.unschedulable,
        slot=node.metadata.annotations.get(keys.FENCE_ANNOTATION, ""),
        tainted=any(taint.key == keys.REPAIR_TAINT for taint in node.spec.taints),
        out_of_service=any(taint.key == keys.OUT_OF_SERVICE_TAINT for taint in node.spec.taints),
        moved_off=_is_moved_off(node),
    )


def _is_moved_off(node: Node) -> bool:
    paused = node.metadata.labels.get(keys.GPU_CLIENTS_LABEL) == keys.PAUSED
    return paused or keys.GPU_CLIENTS_ANNOTATION in node.metadata.annotations


def _request(entry: AuditEntry, user: str) -> Asked:
    return Asked(
        ours=entry.user == user,
        at=entry.at,
        verb=entry.verb,
        resource=entry.resource,
        subresource=entry.subresource,
        namespace=entry.namespace,
        name=entry.name,
        tested=_is_tested(entry),
    )


def _is_tested(entry: AuditEntry) -> bool:
    if not entry.content_type.startswith(_JSON_PATCH):
        return False
    try:
        return any(each.op == "test" for each in _operations.decode(entry.body))
    except msgspec.DecodeError:
        return False
