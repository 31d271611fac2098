"""Threads as a machine gives them whose limit of tasks may be reached."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Spawner:
    """Starts threads, but for the next few."""

    refused: int = 0

    def __call__(self, thread: threading.Thread) -> None:
        """Start one, or say what Python says where the kernel refuses it."""
        if self.refused:
            self.refused -= 1
            raise RuntimeError("can't start new thread")
        thread.start()
