"""What the server's own notes of its writes tell: how long one write took to bring about another.

Both times are the server's, so that no two clocks are ever compared.
"""

from collections.abc import Iterable, Mapping

import msgspec


class Commit(msgspec.Struct, frozen=True, array_like=True):
    """One write of a Node or a NodeHealth, as `bench.emulated` notes it."""

    is_node: bool
    name: str
    version: int
    cordoned: bool
    at: float


def waits(
    commits: Iterable[Commit], written: Mapping[str, int], *, cordoned: bool
) -> dict[str, float]:
    """Return for each node the seconds from a NodeHealth's write to the Node's next one.

    Args:
        commits: What the server noted.
        written: The versions of the NodeHealths that something was to follow upon, by node.
        cordoned: Whether only a write that leaves the Node cordoned counts.
    """
    seen: dict[str, float] = {}
    found: dict[str, float] = {}
    for each in sorted(commits, key=lambda commit: commit.version):
        if not each.is_node and written.get(each.name) == each.version:
            seen[each.name] = each.at
        elif each.is_node and each.name in seen and (each.cordoned or not cordoned):
            found.setdefault(each.name, each.at - seen[each.name])
    return found


def lasted(commits: Iterable[Commit], written: Mapping[str, int]) -> float:
    """Return the seconds from the first of the NodeHealths' writes to the last cordon."""
    known = list(commits)
    begun = min(each.at for each in known if written.get(each.name) == each.version)
    return max(each.at for each in known if each.is_node and each.cordoned) - begun
