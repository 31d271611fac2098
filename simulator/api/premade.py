"""What is there before anybody creates anything: namespaces and priority classes."""

from typing import Final

from nodehealth import keys
from simulator.api.calls import Call, User
from simulator.api.wire import JsonObject
from simulator.api.world import World
from simulator.api.writes import Writes

_NAMESPACES: Final = (
    "default",
    "kube-system",
    "kube-public",
    "kube-node-lease",
    keys.NAMESPACE,
    keys.REPAIR_NAMESPACE,
)
_CLASSES: Final = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}
_SERVER: Final = User(name="system:apiserver", groups=("system:masters",))


def fill(world: World, writes: Writes) -> None:
    """Make what every cluster starts with."""
    for name in _NAMESPACES:
        _make(world, writes, "namespaces", {"metadata": {"name": name}})
    for name, value in _CLASSES.items():
        about = {"metadata": {"name": name}, "value": value}
        _make(world, writes, "priorityclasses.scheduling.k8s.io", about)


def _make(world: World, writes: Writes, resource: str, value: JsonObject) -> None:
    kind = world.kinds.named(resource)
    call = Call(verb="create", kind=kind, at=world.clock(), user=_SERVER, agent="kube-apiserver")
    writes.create(call, value)
