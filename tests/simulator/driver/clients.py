"""How tests drive processes that use NVML."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, Final

from simulator.driver.control import Driver

PROGRAM: Final = Path(__file__).with_name("client.py")
PATIENCE: Final = 30.0
"""Seconds after which an answer will not come."""


class Client:
    """One process; what it is asked in one thread does not wait for what another thread does."""

    def __init__(self, driver: Driver) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env=dict(os.environ) | driver.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.natives: dict[str, int] = {}
        self._threads: dict[int, str] = {}
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._reader = Thread(target=self._read)
        self._reader.start()

    def begin(self, call: str, *arguments: object, thread: str = "main") -> Future[dict[str, Any]]:
        """Ask, and do not wait: the answer will have a `result` or an `error`."""
        number, answer = len(self._threads), Future[dict[str, Any]]()
        self._threads[number], self._waiting[number] = thread, answer
        request = {"id": number, "thread": thread, "call": call, "arguments": arguments}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return answer

    def ask(self, call: str, *arguments: object, thread: str = "main") -> Any:  # noqa: ANN401 - JSON
        """Return the result, or `{"error": code}`."""
        answer = self.begin(call, *arguments, thread=thread).result(PATIENCE)
        return {"error": answer["error"]} if "error" in answer else answer["result"]

    def fields(self, gpu: int, wanted: Sequence[object]) -> list[dict[str, Any]]:
        """Ask for fields: numbers, or pairs of number and scope."""
        said: list[dict[str, Any]] = self.ask("nvmlDeviceGetFieldValues", {"gpu": gpu}, wanted)
        return said

    def open(self) -> "Client":
        """Open NVML, and take a handle of each GPU."""
        self.ask("open")
        return self

    def watch(self, *gpus: int, types: int = 0x8, thread: str = "events") -> dict[str, int]:
        """Make an event set for GPUs, and return what stands for it."""
        made = {"set": self.ask("nvmlEventSetCreate", thread=thread)}
        for gpu in gpus:
            self.ask("nvmlDeviceRegisterEvents", {"gpu": gpu}, types, made, thread=thread)
        return made

    def state(self, thread: str = "main") -> str:
        """Return the state of a thread, such as S or D, once it has answered before."""
        stat = Path(f"/proc/{self.process.pid}/task/{self.natives[thread]}/stat")
        return stat.read_text().rpartition(")")[2].split()[0]

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            self.natives[self._threads[answer["id"]]] = answer["native"]
            self._waiting.pop(answer["id"]).set_result(answer)
