"""Who is to be killed when memory runs out: the agent rather than its worker.

A worker that is killed in the midst of a call may take the GPU with it. To be spared needs a right
that the agent does not have, but anybody may step forward.
"""

from pathlib import Path
from typing import Final

_FILE: Final = Path("/proc/self/oom_score_adj")
_STEP: Final = 100
_MOST: Final = 1000


def step_forward(file: Path = _FILE) -> str:
    """Be likelier to be killed than before; return how likely that was, for a worker to be again.

    Nothing is returned where that cannot be.
    """
    try:
        before = int(file.read_text(encoding="ascii"))
        if before + _STEP > _MOST:
            return ""
        file.write_text(str(before + _STEP), encoding="ascii")
    except (OSError, ValueError):
        return ""
    return str(before)
