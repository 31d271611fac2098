"""Which filesystems are mounted, and which of them are worth watching."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from agent.host.attributes import printable

_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")

# They hold no data of their own, or are mounted by being touched: filesystems(5), proc(5).
_PSEUDO: Final = frozenset(
    """
    autofs binder binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devfs devpts devtmpfs
    efivarfs fuse.gvfsd-fuse fuse.lxcfs fuse.portal fusectl hugetlbfs mqueue nsfs proc pstore
    ramfs resctrl rpc_pipefs securityfs selinuxfs smackfs sysfs tracefs
    """.split()  # noqa: SIM905 - a list of forty quoted names is a page long
)
# An error makes the kernel mark the superblock, not the mount, and ext4 since Linux 6.12 neither:
# it says the other two among its options, from Linux 6.15 on.
_WRITELESS: Final = frozenset({b"ro", b"emergency_ro", b"shutdown"})
# Full by nature: nobody can write to them.
_IMAGES: Final = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})
# What belongs to the system itself, or comes and goes with each pod: hundreds on a busy node.
_TRANSIENT: Final = (
    "/dev",
    "/proc",
    "/run/containerd",
    "/run/k3s/containerd",
    "/run/netns",
    "/run/user",
    "/sys",
    "/var/lib/containers/storage",
    "/var/lib/docker",
    "/var/lib/kubelet/plugins",
    "/var/lib/kubelet/pods",
)
# The same wherever a kubelet, and a container runtime, have their directories.
_OF_A_POD: Final = re.compile(
    r"/pods/[^/]+/(?:volumes/kubernetes\.io~|volume-subpaths/)"
    r"|/plugins/kubernetes\.io/"
    r"|/kubelet/plugins/"
    r"|/sandboxes/[^/]+/shm$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """One mounted filesystem."""

    mount: str
    """Where the host has it."""
    path: str
    """Where the agent finds it, below HOST_ROOT; as the kernel's bytes, not always printable."""
    device: str
    fstype: str
    number: str
    """The kernel's number of the filesystem, equal for all bind mounts of it."""
    read_only: bool
    """Whether this mount of it takes no writes; another mount of it may."""
    takes_no_writes: bool
    """Whether the filesystem itself takes none, through whichever mount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    identity: str
    parent: str
    filesystem: Filesystem


def table(mountinfo: bytes, root: PurePosixPath) -> tuple[Filesystem, ...]:
    """Read /proc/self/mountinfo: the visible mounts at and below a root, named as seen from it.

    The agent's own table is read and not that of process 1, because it is what statvfs sees: a
    mount that did not reach the agent's namespace would be taken for the directory beneath it.
    """
    entries = [_entry(line.split(b" ")) for line in mountinfo.splitlines() if line]
    visible = _visible({entry.identity: entry for entry in entries})
    return tuple(seen for each in visible if (seen := _below(each, root)) is not None)


def watched(
    filesystems: Iterable[Filesystem], known: Collection[str] = ()
) -> tuple[Filesystem, ...]:
    """Leave out pseudo filesystems, those of pods, and all but the shortest mount of each.

    Those that are known are watched whatever has become of them.
    """
    shortest: dict[str, Filesystem] = {}
    for each in sorted(
        filesystems, key=lambda filesystem: (len(filesystem.mount), filesystem.mount)
    ):
        if each.mount in known or _is_worth_watching(each):
            shortest.setdefault(each.number, each)
    return tuple(shortest.values())


def _entry(fields: list[bytes]) -> _Entry:
    """Read one line: fixed fields, optional ones up to a dash, then type, source and options."""
    dash = fields.index(b"-", 6)
    path = _decoded(fields[4])
    filesystem = Filesystem(
        mount=path,
        path=path,
        device=printable(_decoded(fields[dash + 2])),
        fstype=printable(_decoded(fields[dash + 1])),
        number=fields[2].decode(),
        read_only=b"ro" in fields[5].split(b","),
        takes_no_writes=not _WRITELESS.isdisjoint(fields[dash + 3].split(b",")),
    )
    return _Entry(identity=fields[0].decode(), parent=fields[1].decode(), filesystem=filesystem)


def _decoded(text: bytes) -> str:
    r"""Undo the kernel's escapes: a space is written as \040."""
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), text))


def _below(filesystem: Filesystem, root: PurePosixPath) -> Filesystem | None:
    path = PurePosixPath(filesystem.path)
    if not path.is_relative_to(root):
        return None
    return replace(filesystem, mount=printable(str("/" / path.relative_to(root))))


def _visible(entries: Mapping[str, _Entry]) -> Iterator[Filesystem]:
    """Leave out what another mount lies over: right over it, or over a directory on the way.

    A mount whose sibling is mounted nearer to the root is older than that sibling, which would be
    its parent otherwise; so the sibling hides it, and all that is mounted below it.
    """
    siblings: dict[str, set[str]] = {}
    for entry in entries.values():
        siblings.setdefault(entry.parent, set()).add(entry.filesystem.path)
    buried = {
        entry.identity
        for entry in entries.values()
        if not siblings.get(entry.parent, set()).isdisjoint(_above(entry.filesystem.path))
    }
    for entry in entries.values():
        is_covered = entry.filesystem.path in siblings.get(entry.identity, ())
        if not is_covered and buried.isdisjoint(_lineage(entry, entries)):
            yield entry.filesystem


def _lineage(entry: _Entry, entries: Mapping[str, _Entry]) -> Iterator[str]:
    here: _Entry | None = entry
    while here is not None:
        yield here.identity
        here = entries.get(here.parent) if here.parent != here.identity else None


def _above(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents]


def _is_worth_watching(filesystem: Filesystem) -> bool:
    mount, fstype = filesystem.mount, filesystem.fstype
    if fstype in _PSEUDO | _IMAGES or (fstype == "overlay" and mount != "/"):
        return False
    if fstype == "tmpfs" and filesystem.read_only:
        return False
    if _OF_A_POD.search(mount):
        return False
    return not any(mount == each or mount.startswith(f"{each}/") for each in _TRANSIENT)
