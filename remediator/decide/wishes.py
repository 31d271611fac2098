"""What the owner of a pod wants of a drain, in our words or in those of two autoscalers."""

from dataclasses import dataclass
from enum import StrEnum

from nodehealth import keys
from nodehealth.kube.objects import Pod


class Wish(StrEnum):
    """What is asked of a drain."""

    EVICT = "evict"
    """May be evicted, even where nobody brings it back."""
    WAIT = "wait-completed"
    """Shall be left to finish by itself."""
    SKIP = "skip"
    """Need not leave; it is lost with the node."""
    BLOCK = "block"
    """Must not be evicted before a person says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """A wish, and by which mark."""

    wish: Wish
    why: str
    """Part of a sentence about the pod."""


def of(pod: Pod) -> Wished | None:
    """Read a pod's marks; one of ours that nobody understands blocks, for it means something."""
    annotations = pod.metadata.annotations
    ours = annotations.get(keys.DRAIN, pod.metadata.labels.get(keys.DRAIN))
    if ours is not None:
        return _ours(ours)
    for mark, value in ((keys.SAFE_TO_EVICT, "false"), (keys.DO_NOT_DISRUPT, "true")):
        if annotations.get(mark) == value:
            return Wished(wish=Wish.WAIT, why=f"it is marked {mark}={value}")
    return None


def _ours(said: str) -> Wished:
    try:
        return Wished(wish=Wish(said), why=f"it is marked {keys.DRAIN}={said}")
    except ValueError:
        known = ", ".join(Wish)
        return Wished(wish=Wish.BLOCK, why=f"its mark {keys.DRAIN}={said} is none of {known}")
