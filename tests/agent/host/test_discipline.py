"""What the kernel says of its clock is read in the right units, and changes nothing."""

import pytest

from agent.host import discipline
from agent.host.discipline import Discipline


@pytest.mark.parametrize(
    ("status", "offset", "seconds"), [(0x0001, -2500, -0.0025), (0x2001, 2_500_000, 0.0025)]
)
def test_an_offset_is_told_in_seconds_whatever_the_kernel_counts_in(
    status: int, offset: int, seconds: float
) -> None:
    told = discipline.told(offset=offset, max_error=1_500_000, status=status)

    assert told == Discipline(is_synchronised=True, offset=seconds, max_error=1.5)


def test_the_kernel_says_when_nobody_keeps_it() -> None:
    assert not discipline.told(offset=0, max_error=16_000_000, status=0x40).is_synchronised


def test_this_kernel_answers() -> None:
    found = discipline.read()

    assert 0 <= found.max_error <= 16
    assert abs(found.offset) <= 0.5
    assert found.max_error < 16 or not found.is_synchronised
    assert discipline.read().is_synchronised == found.is_synchronised
