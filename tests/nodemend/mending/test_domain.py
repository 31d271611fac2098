"""Which GPUs are reset together."""

import pytest

from nodemend.mending import domain, sight
from nodemend.mending.sight import Gpu, Sight


def gpu(number: int, *, peers: frozenset[str] = frozenset(), switched: bool = False) -> Gpu:
    return Gpu(uuid=f"GPU-{number}", pci=pci(number), minor=number, peers=peers, switched=switched)


def pci(number: int) -> str:
    return f"0000:{number:02x}:00.0"


def together(named: str, *gpus: Gpu) -> list[str]:
    return [each.uuid for each in domain.together(Sight(gpus=gpus), [named])]


def test_a_gpu_without_nvlink_is_reset_alone() -> None:
    assert together("GPU-1", gpu(0), gpu(1), gpu(2)) == ["GPU-1"]


def test_all_gpus_behind_switches_are_one_domain() -> None:
    behind = [gpu(each, switched=True) for each in range(4)]

    assert together("GPU-1", *behind, gpu(9)) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


def test_a_bridged_pair_is_a_domain_of_two() -> None:
    pairs = [gpu(each, peers=frozenset({pci(each ^ 1)})) for each in range(4)]

    assert together("GPU-2", *pairs) == ["GPU-2", "GPU-3"]


def test_a_chain_of_links_is_one_domain() -> None:
    chain = [gpu(each, peers=frozenset({pci(each + 1)})) for each in range(3)]

    assert together("GPU-0", *chain, gpu(3), gpu(7)) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


def test_a_gpu_whose_own_links_are_down_belongs_to_who_leads_to_it() -> None:
    assert together("GPU-0", gpu(0), gpu(1, peers=frozenset({pci(0)}))) == ["GPU-0", "GPU-1"]


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        ("00010000:3B:00.0", "10000:3b:00.0"),
        ("00008A23:01:00.0", "8a23:01:00.0"),
        ("", ""),
    ],
)
def test_the_driver_has_eight_digits_for_what_the_kernel_has_at_least_four_for(
    told: str, address: str
) -> None:
    assert sight.address(told) == address
