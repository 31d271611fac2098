"""What the worker says: one line of JSON for each thing, to the pipe that the agent reads."""

import json
import os
import threading


class Voice:
    """Writes lines, from any thread, each whole.

    Args:
        pipe: The file descriptor to write to.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._turn = threading.Lock()

    def say(self, **line: object) -> None:
        """Say something; when nobody listens any more, to nobody."""
        rest = memoryview(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        with self._turn:
            while rest:
                try:
                    rest = rest[os.write(self._pipe, rest) :]
                except OSError:  # the agent has closed its end; that of stdin ends us
                    return
