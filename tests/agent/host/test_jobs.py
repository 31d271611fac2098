"""A process is known by its pod, however the control group was made."""

from pathlib import Path

import pytest

from agent.host import jobs

UID = "0f5a1b2c-1111-2222-3333-444455556666"
SYSTEMD = "kubepods-burstable-pod0f5a1b2c_1111_2222_3333_444455556666.slice"


def group(root: Path, pid: int, path: str) -> None:
    (root / str(pid)).mkdir()
    (root / str(pid) / "cgroup").write_text(path)


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (f"0::/kubepods.slice/kubepods-burstable.slice/{SYSTEMD}/cri-containerd-ab.scope\n", UID),
        (f"0::/kubepods/besteffort/pod{UID}/0123abcd\n", UID),
        (f"12:cpu:/user.slice\n4:memory:/kubepods/pod{UID}\n", UID),
        (f"0::/../../kubepods/pod{'ab' * 16}/c\n", "ab" * 16),
    ],
)
def test_a_pod_is_found(tmp_path: Path, path: str, uid: str) -> None:
    group(tmp_path, 7, path)

    assert jobs.pods(tmp_path, [7]) == {7: uid}


@pytest.mark.parametrize(
    "path", ["0::/system.slice/slurmd.service\n", "0::/\n", f"0::/tripod{UID}\n", ""]
)
def test_what_is_in_no_pod_has_none(tmp_path: Path, path: str) -> None:
    group(tmp_path, 7, path)

    assert jobs.pods(tmp_path, [7]) == {}


def test_a_process_that_has_ended_has_none(tmp_path: Path) -> None:
    assert jobs.pods(tmp_path, [4711]) == {}


def test_what_is_there_and_in_no_pod_is_the_machines_own(tmp_path: Path) -> None:
    group(tmp_path, 7, "0::/system.slice/kubelet.service\n")
    group(tmp_path, 8, f"0::/kubepods/pod{UID}/c\n")

    assert jobs.own(tmp_path, [7, 8, 9]) == {7}
