"""What the agent really loads when it starts on a node, lazily imported modules left out."""

import subprocess
import sys
from typing import Final

from tests.architecture.repository import ROOT, modules

HEAVY: Final = (
    *("importlib.metadata", "kubernetes", "rich", "sqlalchemy", "tenacity", "typer"),
    *("remediator", "simulator", "nodemend"),
)
SAY: Final = """
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
print(" ".join(name for name in sys.argv[2].split() if name in sys.modules))
"""


def test_an_agent_starts_without_what_only_others_need() -> None:
    agent = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules()
        if path.is_relative_to(ROOT / "agent")
    ]

    loaded = subprocess.run(
        [sys.executable, "-c", SAY, " ".join(agent), " ".join(HEAVY)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert loaded.stdout.split() == []
