"""Which files the repository holds, in a checkout and in a bare copy of one."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MADE: Final = (".cache", ".git", ".venv", "__pycache__", "build", "dist")
"""Folders that programs make; .gitignore names them."""


def files() -> list[Path]:
    """List the files that are tracked, or in a copy without git those that nothing made."""
    found = [ROOT / name for name in _tracked()] or [*filter(_kept, ROOT.rglob("*"))]
    return sorted(path for path in found if path.is_file())


def modules() -> list[Path]:
    """List the Python files."""
    return [path for path in files() if path.suffix == ".py"]


def _tracked() -> list[str]:
    git = shutil.which("git")
    if git is None:
        return []
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    return [name for name in listed.stdout.split("\0") if name]


def _kept(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(
        part in MADE or part.endswith((".egg-info", "_cache")) or part.startswith(".hypothesis")
        for part in parts
    )
