"""The fence is read as it is written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.fence import Fence, Hold


@given(st.integers(min_value=0), st.sampled_from(Hold))
def test_a_fence_is_read_as_it_was_written(epoch: int, hold: Hold) -> None:
    fence = Fence(epoch=epoch, hold=hold)

    assert Fence.read(str(fence)) == fence


@pytest.mark.parametrize(
    "text", ["", "7", "7:", ":cordoned", "x:cordoned", "7:gone", "-1:released"]
)
def test_what_we_did_not_write_is_no_fence(text: str) -> None:
    assert Fence.read(text) is None
