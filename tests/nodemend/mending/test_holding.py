"""Who keeps a GPU from being reset."""

import pytest

from agent.host.holders import Holder
from nodemend.mending import holding
from nodemend.mending.sight import Gpu

SICK = Gpu(uuid="GPU-2", pci="0000:3b:00.0", minor=2)


def holder(*devices: str, name: str = "python", pid: int = 7, state: str = "S") -> Holder:
    return Holder(pid=pid, name=name, state=state, devices=frozenset(devices))


@pytest.mark.parametrize(
    ("devices", "counts"),
    [
        (("nvidia2",), True),
        (("nvidiactl", "nvidia-uvm", "nvidia2"), True),
        (("nvidia2", "nvidia3"), True),
        (("nvidiactl", "nvidia-uvm", "nvidia3"), False),
        (("nvidia22",), False),
        (("nvidiactl",), True),
        (("nvidia-uvm",), True),
        (("nvidia-nvswitchctl",), True),
        (("dri/card0",), False),
        (("dri/renderD130",), True),
    ],
)
def test_it_counts_who_has_the_gpu_or_might_be_about_to_take_it(
    devices: tuple[str, ...], *, counts: bool
) -> None:
    found = holding.standing_in_the_way([holder(*devices)], [SICK], {"dri/renderD130"})

    assert bool(found) is counts


@pytest.mark.parametrize("name", ["nvidia-persistenced", "nv-fabricmanager", "nvlsm"])
def test_the_drivers_own_daemons_need_not_go(name: str) -> None:
    daemon = holder("nvidiactl", "nvidia2", name=name[:15])

    assert holding.standing_in_the_way([daemon], [SICK]) == ()


def test_who_is_named_can_be_found_and_who_cannot_be_ended_is_said_so() -> None:
    said = holding.told(
        [
            holder("nvidiactl", "nvidia2", name="nv-hostengine", pid=812),
            holder("nvidia2", state="D"),
        ]
    )

    assert said == (
        "812 nv-hostengine (nvidia2, nvidiactl), 7 python (nvidia2, asleep in the kernel)"
    )


def test_a_crowd_is_cut_short() -> None:
    said = holding.told([holder("nvidia2", pid=each) for each in range(30)])

    assert said.endswith(", and 22 more")
