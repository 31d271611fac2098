"""Which GPUs are reset together: those that share memory over NVLink."""

from collections.abc import Collection

from nodemend.mending.sight import Gpu, Sight


def together(sight: Sight, named: Collection[str]) -> tuple[Gpu, ...]:
    """Return the named GPUs and all that NVLink connects with them, in the driver's order.

    NVIDIA lets newer GPUs be reset one by one, older ones, or those of a fabric without its
    manager, only with all their peers. All of them together is right everywhere, and their memory
    is mapped into one another, so that none of them may be in use anyway. What a switch connects is
    one domain, also where a link is down and no longer says where it leads.
    """
    inside = {each.uuid for each in sight.gpus if each.uuid in named}
    while True:
        further = {each.uuid for each in sight.gpus if _joins(each, sight, inside)} | inside
        if further == inside:
            return tuple(each for each in sight.gpus if each.uuid in inside)
        inside = further


def _joins(gpu: Gpu, sight: Sight, inside: Collection[str]) -> bool:
    members = [each for each in sight.gpus if each.uuid in inside]
    return bool(gpu.uuid) and any(_are_connected(gpu, each) for each in members)


def _are_connected(one: Gpu, other: Gpu) -> bool:
    return (one.switched and other.switched) or other.pci in one.peers or one.pci in other.peers
