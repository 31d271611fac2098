"""The door to the machine opens on this one."""

from datetime import timedelta
from pathlib import Path

from agent.host.linux import Host


async def test_this_machine_has_a_boot_and_a_root() -> None:
    host = Host()

    (root,) = [each for each in await host.volumes.filesystems() if each.mount == "/"]
    usage = await host.volumes.usage(root, patience=timedelta(seconds=5))

    assert len(await host.boot_id()) == 36
    assert 0 < usage.free_blocks <= usage.blocks
    assert host.hostname


async def test_the_boot_may_be_told_by_another_file(tmp_path: Path) -> None:
    (tmp_path / "boot").write_text("second\n")

    assert await Host(boot_id=tmp_path / "boot").boot_id() == "second"
