"""The fenced changes of a Node: JSON patches whose tests fail when somebody moved on.

Nothing but our own marks is ever removed: a taint goes by its index with a test of that very taint,
and comes by appending, so a foreign entry is never written over.
"""

from collections.abc import Callable, Mapping
from typing import Final

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kube import patches
from nodehealth.kube.objects import Node, Taint
from nodehealth.kube.patches import Operation
from nodehealth.ledger import RepairLedger
from remediator.decide import labels

_ORDER: Final = (Hold.DISRUPTED, Hold.CORDONED, Hold.RELEASED)
"""How the hold of one epoch goes on: a disruption may be traded for a cordon, and ends released."""
_TRUE: Final = "true"
_LONGEST_VALUE: Final = 63
_KEPT: Final = (keys.SCALE_DOWN_DISABLED_ANNOTATION, keys.SCALE_DOWN_ANNOTATION)
"""What keeps the cluster autoscaler off a Node, and says that it was us who wanted that."""
_FENCE: Final = patches.pointer("metadata", "annotations", keys.FENCE_ANNOTATION)
_SCALE_DOWN: Final = patches.pointer("metadata", "annotations", keys.SCALE_DOWN_DISABLED_ANNOTATION)
_SCALE_DOWN_OURS: Final = patches.pointer("metadata", "annotations", keys.SCALE_DOWN_ANNOTATION)
_PRE_CORDONED: Final = patches.pointer("metadata", "annotations", keys.PRE_CORDONED_ANNOTATION)


def fence_of(node: Node) -> Fence | None:
    """Read the fence of a Node."""
    return Fence.read(node.metadata.annotations.get(keys.FENCE_ANNOTATION, ""))


def is_ours(node: Node, epochs: frozenset[int]) -> bool:
    """Say whether the Node carries the unreleased fence of one of these admissions."""
    fence = fence_of(node)
    return fence is not None and fence.hold is not Hold.RELEASED and fence.epoch in epochs


def held_epochs(node: Node | None, ledger: RepairLedger, name: str) -> frozenset[int]:
    """Return the admissions that hold a node, by its own fence or by the ledger."""
    fence = fence_of(node) if node is not None else None
    slot = ledger.status.slots.get(name)
    found = {
        fence.epoch if fence is not None and fence.hold is not Hold.RELEASED else 0,
        slot.epoch if slot is not None else 0,
        ledger.status.cordons.get(name, 0),
    }
    return frozenset(found - {0})


def is_held_as(node: Node, fence: Fence) -> bool:
    """Say whether the Node carries all our marks under this very fence."""
    marked = node.spec.unschedulable and _taint_index(node) is not None
    return marked and fence_of(node) == fence


def held_for(node: Node) -> str:
    """Return for which repair a Node carries our taint: as much of its name as that holds."""
    ours = (each.value for each in node.spec.taints if each.key == keys.REPAIR_TAINT)
    return next(ours, "")


def is_tainted_for(node: Node, repair: str) -> bool:
    """Say whether the Node carries our taint because we put it there for this repair."""
    value = _value(repair)
    return any(each.key == keys.REPAIR_TAINT and each.value == value for each in node.spec.taints)


def is_beyond(node: Node, fence: Fence) -> bool:
    """Say whether the Node has left this fence behind: no epoch falls, and none is reopened."""
    seen = fence_of(node)
    if seen is None or seen.epoch < fence.epoch:
        return False
    return seen.epoch > fence.epoch or _ORDER.index(seen.hold) > _ORDER.index(fence.hold)


def is_open_to(node: Node, epoch: int) -> bool:
    """Say whether nothing on the Node would refuse a late mark of this admission."""
    fence = fence_of(node)
    return fence is None or (fence.hold is Hold.RELEASED and fence.epoch < epoch)


def pre_cordoned(node: Node) -> bool:
    """Say whether somebody else had cordoned the Node before we did."""
    return node.metadata.annotations.get(keys.PRE_CORDONED_ANNOTATION) == _TRUE


def was_cordoned(node: Node) -> bool:
    """Say whether a Node that we are about to cordon, or have cordoned, was cordoned already."""
    return pre_cordoned(node) or (node.spec.unschedulable and not _is_held(node))


def is_opened_by_release(node: Node) -> bool:
    """Say whether to give a Node back would uncordon it."""
    return _is_held(node) and node.spec.unschedulable and not pre_cordoned(node)


def is_out_of_service(node: Node) -> bool:
    """Say whether anybody has put the Node out of service."""
    return any(taint.key == keys.OUT_OF_SERVICE_TAINT for taint in node.spec.taints)


def is_put_out_of_service(node: Node) -> bool:
    """Say whether we have put the Node out of service."""
    return any(_is_our_service_mark(taint) for taint in node.spec.taints)


def out_of_service(node: Node) -> list[Operation]:
    """Mark a Node out of service, if it is in every respect as it was read.

    The test of its version lets no late request do this to a machine that came back meanwhile.
    """
    taint = {
        "key": keys.OUT_OF_SERVICE_TAINT,
        "value": keys.OUT_OF_SERVICE_VALUE,
        "effect": "NoExecute",
    }
    return [*_unchanged(node), _append_taint(node, taint)]


def into_service(node: Node) -> list[Operation]:
    """Take our out-of-service mark off a Node that is as it was read."""
    return [*_unchanged(node), *_without(node, _is_our_service_mark)]


def hold(node: Node, fence: Fence, repair: str, *, apart: str = "") -> list[Operation]:
    """Cordon a Node, or move its fence on: unschedulable, our taint and the fence in one patch.

    Args:
        node: The Node as it was read.
        fence: What it shall say.
        repair: Who holds it then.
        apart: What of it failed too often, if it gets no remedy any more.
    """
    annotations = {keys.FENCE_ANNOTATION: str(fence)}
    if not _is_held(node):
        annotations |= _noted(node)
    changes = _annotate(node, annotations)
    if not node.spec.unschedulable:
        changes.append(patches.add("/spec/unschedulable", value=True))
    if fence.hold is Hold.CORDONED:
        changes += [*_without(node, _is_our_service_mark), *labels.put_back(node)]
    if _taint_index(node) is None:
        mark = {"key": keys.REPAIR_TAINT, "value": _value(repair), "effect": "NoSchedule"}
        changes.append(_append_taint(node, mark))
    if not apart or keys.QUARANTINE_LABEL in node.metadata.labels:
        return [*_tests(node), *changes]
    return [*_unchanged(node), *changes, *labels.set_apart(node, apart)]


def release(node: Node, epoch: int) -> list[Operation]:
    """Give a Node back: our taint goes, the fence says so, and a cordon goes if it was ours.

    The test of its version lets nothing that we put on it meanwhile stay behind.
    """
    fence = Fence(epoch=epoch, hold=Hold.RELEASED)
    changes = _annotate(node, {keys.FENCE_ANNOTATION: str(fence)})
    changes += [*_without(node, _is_our_mark), *labels.put_back(node), *_let_scale(node)]
    changes += labels.let_in(node)
    if pre_cordoned(node):
        changes.append(patches.remove(_PRE_CORDONED))
    elif node.spec.unschedulable:
        changes.append(patches.remove("/spec/unschedulable"))
    return [*_unchanged(node), *changes]


def shut(node: Node, epoch: int) -> list[Operation]:
    """Have a Node say that an admission is over by which it was never marked."""
    fence = Fence(epoch=epoch, hold=Hold.RELEASED)
    return [*_unchanged(node), *_annotate(node, {keys.FENCE_ANNOTATION: str(fence)})]


def move_off(node: Node, wanted: Mapping[str, str]) -> list[Operation]:
    """Label a Node that is as it was read, so that those who hold its GPUs give way."""
    return [*_unchanged(node), *labels.put_on(node, wanted)]


def let_back(node: Node) -> list[Operation]:
    """Give a Node that is as it was read the labels back by which they return."""
    return [*_unchanged(node), *labels.put_back(node)]


def _noted(node: Node) -> Mapping[str, str]:
    """Note how the Node was before we took it, and keep the cluster autoscaler off it."""
    noted = {keys.PRE_CORDONED_ANNOTATION: _TRUE} if node.spec.unschedulable else {}
    if keys.SCALE_DOWN_DISABLED_ANNOTATION in node.metadata.annotations:
        return noted
    return {**noted, **dict.fromkeys(_KEPT, _TRUE)}


def _let_scale(node: Node) -> list[Operation]:
    """Let the cluster autoscaler have the Node again, unless that was never ours to say."""
    annotations = node.metadata.annotations
    if keys.SCALE_DOWN_ANNOTATION not in annotations:
        return []
    is_untouched = annotations.get(keys.SCALE_DOWN_DISABLED_ANNOTATION) == _TRUE
    paths = (_SCALE_DOWN, _SCALE_DOWN_OURS) if is_untouched else (_SCALE_DOWN_OURS,)
    return [patches.remove(path) for path in paths]


def _tests(node: Node) -> list[Operation]:
    """Pin the identity of the Node, and our fence, or its whole version while it has none."""
    tests = [patches.test("/metadata/uid", node.metadata.uid)]
    if _is_fenced(node):
        return [*tests, patches.test(_FENCE, node.metadata.annotations[keys.FENCE_ANNOTATION])]
    return _unchanged(node)


def _is_fenced(node: Node) -> bool:
    """Say whether our fence pins the Node, so that its version does not matter."""
    return _is_held(node) and _taint_index(node) is not None


def _is_held(node: Node) -> bool:
    fence = fence_of(node)
    return fence is not None and fence.hold is not Hold.RELEASED


def _annotate(node: Node, annotations: Mapping[str, str]) -> list[Operation]:
    if not node.metadata.annotations:
        return [patches.add("/metadata/annotations", dict(annotations))]
    return [
        patches.add(patches.pointer("metadata", "annotations", key), value)
        for key, value in annotations.items()
    ]


def _unchanged(node: Node) -> list[Operation]:
    """Pin the identity of the Node and its whole version."""
    return [
        patches.test("/metadata/uid", node.metadata.uid),
        patches.test("/metadata/resourceVersion", node.metadata.resource_version),
    ]


def _append_taint(node: Node, taint: Mapping[str, str]) -> Operation:
    if node.spec.taints:
        return patches.add("/spec/taints/-", taint)
    return patches.add("/spec/taints", [taint])


def _value(name: str) -> str:
    """Return as much of a repair's name as a taint's value may hold: its end says which it is."""
    return name[-_LONGEST_VALUE:].lstrip("-._")


def _without(node: Node, unwanted: Callable[[Taint], bool]) -> list[Operation]:
    """Remove taints by their index, the last one first, each tested to be what it was."""
    changes = list[Operation]()
    for index, taint in reversed(tuple(enumerate(node.spec.taints))):
        if unwanted(taint):
            path = patches.pointer("spec", "taints", index)
            changes.append(patches.test(f"{path}/key", taint.key))
            if taint.value:
                changes.append(patches.test(f"{path}/value", taint.value))
            changes.append(patches.remove(path))
    return changes


def _is_our_mark(taint: Taint) -> bool:
    return taint.key == keys.REPAIR_TAINT or _is_our_service_mark(taint)


def _is_our_service_mark(taint: Taint) -> bool:
    ours = taint.value == keys.OUT_OF_SERVICE_VALUE
    return ours and taint.key == keys.OUT_OF_SERVICE_TAINT


def _taint_index(node: Node) -> int | None:
    keyed = (n for n, taint in enumerate(node.spec.taints) if taint.key == keys.REPAIR_TAINT)
    return next(keyed, None)
