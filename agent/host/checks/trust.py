"""Whether a program may be run as the agent: only what root or the agent alone may have written."""

import os
import stat
from pathlib import Path


def refusal(program: Path, uid: int | None = None, gid: int | None = None) -> str:
    """Say why a program is not run; nothing if it may be.

    Links are followed: what counts is the file that would be run, and the folder that it lies in.

    Args:
        program: Its path.
        uid: Whose files are trusted beside root's; by default the agent's own.
        gid: Likewise, whose group may write to them.
    """
    uid, gid = os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
    try:
        real = program.resolve(strict=True)
        file, folder = real.stat(), real.parent.stat()
    except (OSError, RuntimeError) as error:
        return f"expected a program, got {getattr(error, 'strerror', None) or 'a circle of links'}"
    if not stat.S_ISREG(file.st_mode):
        return "expected a program, got something that is no file"
    if not file.st_mode & 0o111:
        return "expected a program, got a file that is not executable"
    return _writable("it", file, uid, gid) or _folder(real.parent, folder, uid, gid)


def folder_refusal(folder: Path, uid: int | None = None, gid: int | None = None) -> str:
    """Say why nothing in a folder is run; nothing if it may be."""
    uid, gid = os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
    return _folder(folder, folder.stat(), uid, gid)


def _folder(path: Path, folder: os.stat_result, uid: int, gid: int) -> str:
    """Trust a folder on a read-only mount, such as a ConfigMap, whatever its mode says."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return ""
    return _writable("its folder", folder, uid, gid)


def _writable(what: str, found: os.stat_result, uid: int, gid: int) -> str:
    if found.st_uid not in {0, uid}:
        return f"{what} belongs to user {found.st_uid}, expected root or the agent's user {uid}"
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {what}: mode {stat.S_IMODE(found.st_mode):04o}"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in {0, gid}:
        return f"group {found.st_gid} may write to {what}: mode {stat.S_IMODE(found.st_mode):04o}"
    return ""
