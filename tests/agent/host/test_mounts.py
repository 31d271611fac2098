"""The kernel's table of mounts is read as statvfs sees it."""

from pathlib import PurePosixPath

import pytest

from agent.host import mounts
from agent.host.mounts import Filesystem

ROOT = PurePosixPath("/")


def line(
    identity: int,
    parent: int,
    path: str,
    *,
    number: str = "",
    fstype: str = "ext4",
    device: str = "/dev/vda",
    options: str = "rw",
) -> str:
    number = number or f"0:{identity}"
    return f"{identity} {parent} {number} / {path} {options} shared:1 - {fstype} {device} rw"


def table(*lines: str, root: PurePosixPath = ROOT) -> tuple[Filesystem, ...]:
    return mounts.table("\n".join([*lines, ""]).encode(), root)


def names(filesystems: tuple[Filesystem, ...]) -> list[str]:
    return [each.mount for each in filesystems]


def test_a_line_says_where_what_and_of_which_type() -> None:
    text = "36 35 98:0 /mnt1 /mnt2 ro,noatime master:1 propagate_from:2 - ext3 /dev/sdb rw,errors=x"

    (found,) = table(text)

    assert found == Filesystem(
        mount="/mnt2",
        path="/mnt2",
        device="/dev/sdb",
        fstype="ext3",
        number="98:0",
        read_only=True,
        takes_no_writes=False,
    )


def test_a_line_without_optional_fields_is_read() -> None:
    (found,) = table("36 35 98:0 / /mnt rw - ext3 /dev/sdb rw")

    assert (found.mount, found.device) == ("/mnt", "/dev/sdb")


@pytest.mark.parametrize("word", ["ro", "emergency_ro", "shutdown"])
def test_an_error_is_seen_at_the_superblock_though_the_mount_is_writable(word: str) -> None:
    (found,) = table(f"36 35 98:0 / /mnt rw - ext4 /dev/sdb rw,errors=remount-ro,{word}")

    assert (found.read_only, found.takes_no_writes) == (False, True)


def test_what_an_error_would_do_is_no_error() -> None:
    (found,) = table("36 35 98:0 / /mnt rw - ext4 /dev/sdb rw,errors=remount-ro")

    assert not found.takes_no_writes


def test_the_kernels_escapes_are_undone() -> None:
    (found,) = table(line(1, 0, r"/with\040space\011tab\134slash\012line"))

    assert found.mount == "/with space\ttab\\slash\nline"


def test_a_name_that_is_no_text_can_still_be_found_and_told() -> None:
    (found,) = mounts.table(b"1 0 0:1 / /b\xffad rw - ext4 /dev/vda rw", ROOT)

    assert found.path.encode(errors="surrogateescape") == b"/b\xffad"
    assert found.mount == "/b�ad"


def test_only_what_lies_below_the_hosts_root_is_the_hosts() -> None:
    lines = [line(1, 0, "/"), line(2, 1, "/host"), line(3, 2, "/host/var"), line(4, 1, "/hosts")]

    found = table(*lines, root=PurePosixPath("/host"))

    assert [(each.mount, each.path) for each in found] == [("/", "/host"), ("/var", "/host/var")]


def test_a_mount_that_another_one_lies_right_over_is_hidden() -> None:
    lower, upper = line(5, 1, "/data", device="old"), line(6, 5, "/data", device="new")

    assert [each.device for each in table(line(1, 0, "/"), upper, lower)] == ["/dev/vda", "new"]


def test_a_mount_below_a_directory_that_was_mounted_over_later_is_hidden() -> None:
    old = [line(1, 0, "/"), line(5, 1, "/a/b"), line(6, 5, "/a/b/c")]

    assert names(table(*old, line(7, 1, "/a"))) == ["/", "/a"]


def test_a_mount_on_a_mount_is_visible() -> None:
    assert names(table(line(1, 0, "/"), line(5, 1, "/a"), line(6, 5, "/a/b"))) == [
        "/",
        "/a",
        "/a/b",
    ]


def test_a_neighbour_with_a_longer_name_hides_nothing() -> None:
    assert names(table(line(1, 0, "/"), line(5, 1, "/a"), line(6, 1, "/ab"))) == ["/", "/a", "/ab"]


def test_of_the_mounts_of_one_filesystem_the_shortest_is_watched() -> None:
    lines = [line(2, 1, "/var/lib/x", number="8:1"), line(1, 0, "/", number="8:1")]

    assert names(mounts.watched(table(*lines))) == ["/"]


def test_two_filesystems_of_one_name_are_both_watched() -> None:
    lines = [line(n, 0, f"/t{n}", fstype="tmpfs", device="tmpfs") for n in (1, 2)]

    assert names(mounts.watched(table(*lines))) == ["/t1", "/t2"]


@pytest.mark.parametrize(
    ("path", "fstype", "options"),
    [
        ("/proc", "proc", "rw"),
        ("/sys/fs/cgroup", "tmpfs", "rw"),
        ("/misc", "autofs", "rw"),
        ("/snap/core/1", "squashfs", "ro"),
        ("/credentials", "tmpfs", "ro"),
        ("/run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs", "overlay", "rw"),
        ("/var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/token", "tmpfs", "rw"),
        ("/var/lib/other/merged", "overlay", "rw"),
        ("/data/k/pods/1/volumes/kubernetes.io~csi/pvc-1/mount", "ext4", "rw"),
        ("/data/k/pods/1/volume-subpaths/pvc-1/main/0", "ext4", "rw"),
        ("/data/k/plugins/kubernetes.io/csi/driver/1/globalmount", "ext4", "rw"),
        ("/data/kubelet/plugins/driver/staging", "ext4", "rw"),
        ("/data/containerd/io.containerd.grpc.v1.cri/sandboxes/1/shm", "tmpfs", "rw"),
    ],
)
def test_what_is_the_kernels_or_a_pods_is_not_watched(path: str, fstype: str, options: str) -> None:
    assert mounts.watched(table(line(1, 0, path, fstype=fstype, options=options))) == ()


@pytest.mark.parametrize(
    ("path", "fstype"),
    [
        ("/", "overlay"),
        ("/var/lib/kubelet", "xfs"),
        ("/var/lib/kubelet/podsize", "xfs"),
        ("/run", "tmpfs"),
        ("/mnt/share", "nfs4"),
        ("/data/k", "xfs"),
        ("/srv/pods/1/data", "xfs"),
    ],
)
def test_what_is_the_hosts_is_watched(path: str, fstype: str) -> None:
    assert names(mounts.watched(table(line(1, 0, path, fstype=fstype)))) == [path]


def test_what_is_known_is_watched_though_it_turned_into_what_is_not() -> None:
    found = table(line(1, 0, "/scratch", fstype="tmpfs", options="ro"))

    assert names(mounts.watched(found, known={"/scratch"})) == ["/scratch"]


def test_a_node_with_thousands_of_mounts_is_read_in_a_moment() -> None:
    pods = [line(n, 1, f"/var/lib/kubelet/pods/{n}/volumes/token") for n in range(2, 5000)]

    assert len(table(line(1, 0, "/"), *pods)) == 4999
