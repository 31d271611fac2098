"""What is to be done after an error of NVLink 5 depends on unit, cause, status and driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import nvlink5
from agent.host.nvlink5 import EVALUATE, IGNORE, RESET
from agent.host.nvrm import Fault

OLD, NEW = 570, 580


def fault(info: int, status: int, severity: str = "Nonfatal") -> Fault:
    return Fault(unit="ANY", severity=severity, link=1, info=info, status=status)


def old(code: int, unit: int, cause: int = 0, flag: int = 0) -> int:
    return cause << 20 | flag << 10 | unit << 5 | code - 143


def new(unit: int, cause: int = 0, flag: int = 0) -> int:
    return cause << 20 | flag << 7 | unit


@pytest.mark.parametrize(
    ("code", "units", "status", "action"),
    [
        (144, (1, 1), 0x1, IGNORE),
        (144, (1, 1), 0x10, RESET),
        (145, (4, 4), 0x20, EVALUATE),
        (145, (4, 4), 0x40, RESET),
        (145, (4, 4), 0x80000000, IGNORE),
        (145, (7, 7), 0x4, EVALUATE),
        (146, (10, 11), 0x4, RESET),
        (146, (11, 12), 0x2, IGNORE),
        (147, (12, 14), 0x1, IGNORE),
        (148, (0, 15), 0x80000000, IGNORE),
        (149, (17, 19), 0x3, IGNORE),
        (149, (18, 20), 0x3, IGNORE),
        (149, (18, 20), 0x5, RESET),
    ],
)
def test_either_layout_leads_to_the_same(
    code: int, units: tuple[int, int], status: int, action: str
) -> None:
    before = nvlink5.action(code, fault(old(code, units[0]), status), OLD)
    since = nvlink5.action(code, fault(new(units[1]), status), NEW)

    assert (before, since) == (action, action)


@pytest.mark.parametrize(("cause", "action"), [(4, RESET), (36, RESET), (38, IGNORE), (63, "")])
def test_a_link_that_went_down_is_judged_by_its_cause(cause: int, action: str) -> None:
    assert nvlink5.action(149, fault(old(149, 14, cause), 0), OLD) == action
    assert nvlink5.action(149, fault(new(17, cause), 0), NEW) == action


@pytest.mark.parametrize(("flag", "action"), [(0, IGNORE), (1, RESET)])
def test_of_one_unit_a_single_bit_makes_the_difference(flag: int, action: str) -> None:
    assert nvlink5.action(145, fault(old(145, 6, flag=flag), 2), OLD) == action
    assert nvlink5.action(145, fault(new(6, flag=flag), 2), NEW) == action


def test_a_line_as_it_was_seen_is_read_by_its_driver() -> None:
    seen = fault(0x04084507, 0x4)

    assert nvlink5.action(145, seen, 580) == EVALUATE
    assert nvlink5.action(145, seen, 0) == EVALUATE


def test_without_a_driver_the_layout_is_read_off_the_word() -> None:
    assert nvlink5.action(149, fault(0x004505C6, 0), 0) == RESET
    assert nvlink5.action(145, fault(old(145, 8), 0x2), 0) == RESET


def test_of_several_errors_at_once_the_gravest_counts() -> None:
    assert nvlink5.action(145, fault(new(4), 0x100 | 0x1), NEW) == EVALUATE
    assert nvlink5.action(145, fault(new(4), 0x100 | 0x1 | 0x40), NEW) == RESET


@given(
    code=st.integers(144, 150),
    info=st.integers(0, 2**32 - 1),
    status=st.integers(0, 2**32 - 1),
    branch=st.sampled_from([0, 535, 570, 575, 590]),
)
def test_there_is_an_answer_to_everything(code: int, info: int, status: int, branch: int) -> None:
    assert nvlink5.action(code, fault(info, status), branch) in {"", IGNORE, EVALUATE, RESET}


@given(info=st.integers(0, 2**32 - 1), branch=st.sampled_from([0, 570, 580]))
def test_what_is_not_in_nvidias_list_has_no_action(info: int, branch: int) -> None:
    assert nvlink5.action(147, fault(info, 0x40), branch) == ""
