"""A thread hangs in the driver only where it made a call, and does not merely wait for a disk."""

import os
import threading

from agent.host.nvml import tasks
from agent.host.nvml.tasks import Task


def test_a_call_that_nothing_can_end_is_one_wherever_the_kernel_does_not_name_it() -> None:
    assert Task(state="D", syscall="16 0x5 0xc020462a 0x7ffc").is_in_call
    assert Task(state="D").is_in_call


def test_memory_that_is_read_back_from_a_disk_is_no_call() -> None:
    paging = Task(state="D", syscall="-1 0x7ffd5d2b 0x7f1cd3")

    assert paging.is_deep
    assert not paging.is_in_call


def test_who_sleeps_lightly_can_be_ended() -> None:
    task = tasks.read(os.getpid(), threading.get_native_id())

    assert task.state
    assert not task.is_in_call
