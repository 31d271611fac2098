"""A machine goes down however sick it is."""

from datetime import timedelta

from agent.host import power
from tests.agent.spawning import Spawner


async def test_disks_are_gone_without_where_no_thread_is_left_to_write_to_them() -> None:
    assert await power.sync(timedelta(seconds=20), Spawner(refused=1)) is False
