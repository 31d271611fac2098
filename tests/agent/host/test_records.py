"""A record of the kernel's log is read as it stands, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import records


def test_a_record_has_a_priority_a_number_a_time_and_a_text() -> None:
    found = records.record(b"6,1234,987654321,-;NVRM: loading; really")

    assert found is not None
    assert (found.priority, found.sequence, found.microseconds) == (6, 1234, 987654321)
    assert (found.text, found.facility) == (b"NVRM: loading; really", records.KERNEL)


def test_what_a_program_wrote_has_its_own_facility() -> None:
    found = records.record(b"14,1,2,-,caller=T1;NVRM: Xid (PCI:0000:3b:00): 79")

    assert found is not None
    assert found.facility == 1


@pytest.mark.parametrize(
    "line", [b"", b";", b"6,1;x", b"6,1,2 no end", b"a,1,2,-;x", b"6,-1,2,-;x", b"6,,2,-;x"]
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    assert records.record(line) is None


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(line: bytes) -> None:
    found = records.record(line)

    assert found is None or found.sequence >= 0
