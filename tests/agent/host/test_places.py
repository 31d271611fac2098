"""A directory of the host is written to only through a door that leads to its own filesystem."""

from pathlib import PurePosixPath

from agent.host import mounts, places
from agent.host.places import Place

HOST = """
1 0 8:1 / / ro - overlay overlay rw
2 1 8:2 / /host ro - ext4 /dev/sda2 rw
3 2 8:3 / /host/var/lib/kubelet ro - xfs /dev/sdb1 rw
4 2 0:40 / /host/run ro - tmpfs tmpfs rw
5 2 0:41 / /host/home ro - nfs4 server:/home rw
6 2 0:42 / /host/data ro - btrfs /dev/sdc rw
"""
STATE = "7 1 8:2 /var/lib/nodemend /var/lib/nodemend rw - ext4 /dev/sda2 rw"


def each(*directories: str, table: str, root: str = "/host") -> tuple[Place, ...]:
    seen = table.strip().encode()
    return places.found(
        directories,
        root=PurePosixPath(root),
        below=mounts.table(seen, PurePosixPath(root)),
        own=mounts.table(seen, PurePosixPath("/")),
    )


def found(directory: str, *, table: str, root: str = "/host") -> Place:
    (place,) = each(directory, table=table, root=root)
    return place


def test_outside_a_container_a_directory_is_where_it_is() -> None:
    place = found("/var/lib/nodemend", table="1 0 8:1 / / rw - ext4 /dev/sda1 rw", root="/")

    assert (place.path, place.is_local) == ("/var/lib/nodemend", True)


def test_below_a_root_that_may_be_written_to_it_lies_there() -> None:
    table = HOST.replace("/host ro", "/host rw")

    assert found("/var/lib/nodemend", table=table).path == "/host/var/lib/nodemend"


def test_below_a_root_that_may_only_be_read_there_is_no_way() -> None:
    assert found("/var/lib/nodemend", table=HOST).path is None


def test_a_mount_of_the_same_filesystem_at_the_same_path_is_a_way() -> None:
    assert found("/var/lib/nodemend", table=HOST + STATE).path == "/var/lib/nodemend"


def test_a_mount_of_another_filesystem_is_none() -> None:
    other = STATE.replace("8:2", "8:9")

    assert found("/var/lib/nodemend", table=HOST + other).path is None


def test_a_mount_that_may_only_be_read_is_none() -> None:
    assert found("/var/lib/nodemend", table=HOST + STATE.replace(" rw -", " ro -")).path is None


def test_a_directory_lies_on_the_filesystem_that_is_mounted_nearest_above_it() -> None:
    seen = each("/var/lib/nodemend", "/var/lib/kubelet", "/var/lib/kubelets", table=HOST)

    assert [place.mount for place in seen] == ["/", "/var/lib/kubelet", "/"]


def test_what_lies_in_memory_or_elsewhere_is_not_local() -> None:
    seen = each("/", "/run/x", "/home/x", "/data/x", table=HOST)

    local = {place.mount: place.is_local for place in seen}
    assert local == {"/": True, "/run": False, "/home": False, "/data": True}


def test_where_nothing_is_mounted_there_is_no_place() -> None:
    assert each("/var/lib/nodemend", table="1 0 8:1 / / rw - ext4 /dev/sda1 rw") == ()
