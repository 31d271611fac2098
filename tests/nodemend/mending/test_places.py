"""How the programs of a host are reached."""

from pathlib import Path

import pytest

from nodemend.mending import places

HOST = Path("/host")
INTO_HOST = "nsenter --target 1 --mount --uts --ipc --net --pid --"


@pytest.mark.parametrize(
    ("there", "call"),
    [
        ("usr/bin/nvidia-smi", "nvidia-smi"),
        ("run/nvidia/driver/usr/bin/nvidia-smi", "chroot /run/nvidia/driver nvidia-smi"),
        ("", "nvidia-smi"),
    ],
)
def test_nvidia_smi_is_called_where_the_driver_is(there: str, call: str) -> None:
    found = places.nvidia_smi(HOST, lambda path: path == HOST / there)

    assert " ".join(found) == f"{INTO_HOST} {call}"


def test_a_driver_of_container_optimized_os_is_given_its_own_library() -> None:
    found = places.nvidia_smi(HOST, lambda path: "kubernetes" in path.parts)

    assert found[-3] == "env"
    assert found[-2].startswith("LD_LIBRARY_PATH=/")
    assert found[-1].endswith("/nvidia/bin/nvidia-smi")


def test_on_the_machine_itself_nothing_is_entered() -> None:
    assert places.nvidia_smi(places.MACHINE, lambda _: True) == ("nvidia-smi",)
    assert places.host(places.MACHINE) == ()
