"""What hangs is one filesystem, and not whatever is mounted where it was."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.guard import HungError
from agent.host.linux import Host

MOUNTED = "1 0 {number} / /images rw - nfs4 nas:/images rw"


async def test_a_folder_is_measured_again_where_another_filesystem_is_mounted_now(
    tmp_path: Path,
) -> None:
    let_go, asked = threading.Event(), list[str]()

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path)
        if len(asked) == 1:
            let_go.wait()
        return os.statvfs("/")

    table = tmp_path / "mountinfo"
    table.write_text(MOUNTED.format(number="0:50"))
    volumes = Host(mountinfo=table, statvfs=statvfs).volumes
    with pytest.raises(HungError, match=r"statvfs of /images/v1 \(0:50\) does not return"):
        await volumes.room("/images/v1", patience=timedelta(seconds=0.05))

    table.write_text(MOUNTED.format(number="0:51"))
    usage = await volumes.room("/images/v1", patience=timedelta(seconds=20))
    let_go.set()

    assert usage.blocks > 0
