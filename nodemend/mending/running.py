"""One run of a program that mends: its guard, its deadline, the signals that end it, last words."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from nodehealth import quantities
from nodehealth.outcome import Outcome, Result
from nodemend.mending import ending
from nodemend.mending.ending import MendingError, RefusedError

KILLED: Final = "the program was killed before it could say how it ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What holds for every such program."""

    ordered_boot: str
    """The boot for which it was ordered; empty for whichever it is."""
    boot_id: str
    """The boot in which it runs."""
    deadline: timedelta
    """How long it may take altogether."""
    message_file: Path
    """Where its last words go."""
    say: Callable[[str], None]
    """Tell people what is going on."""
    dry: bool = False
    """Whether it only says what it would do."""


def leave(frame: Frame, result: Result, message: str) -> Outcome:
    """Leave last words; who comes back to say more overwrites them."""
    words = ending.outcome(result, message, frame.boot_id)
    if not frame.dry:
        ending.leave(words, frame.message_file)
    return words


def mend(frame: Frame, work: Callable[[], Awaitable[str]]) -> Outcome:
    """Run some work to its end, whatever comes, and say how it ended."""
    leave(frame, Result.FAILED, KILLED)
    try:
        with asyncio.Runner() as runner:
            message = runner.run(_bounded(frame, work))
    except MendingError as ended:
        words = leave(frame, ended.result, str(ended))
    except OSError as error:
        words = leave(frame, Result.FAILED, str(error))
    except BaseException as error:  # our own mistake; what was left before may say that it is done
        leave(frame, Result.FAILED, f"{type(error).__name__}: {error}")
        raise
    else:
        words = leave(frame, Result.DONE, message)
    frame.say(f"{words.result}: {words.message}")
    if frame.dry or not ending.is_asked_for(frame.message_file):
        frame.say(ending.as_json(words))
    return words


async def _bounded(frame: Frame, work: Callable[[], Awaitable[str]]) -> str:
    """Do the work within the deadline, in the boot for which it was ordered."""
    if not frame.boot_id:
        raise RefusedError("nothing says which boot this is")
    if frame.ordered_boot not in ("", frame.boot_id):
        raise RefusedError(
            f"this was ordered in boot {frame.ordered_boot}; the machine is in boot {frame.boot_id}"
        )
    stopped: list[str] = []
    task = asyncio.ensure_future(work())
    _end_at_signals(task, stopped)
    limit = asyncio.timeout(frame.deadline.total_seconds())
    try:
        async with limit:
            message = await task
    except TimeoutError as late:
        if not limit.expired():
            raise
        raise _late(frame) from late
    except asyncio.CancelledError as ended:
        if not stopped:
            raise
        raise ending.FailedError(f"it was ended by {stopped[0]}") from ended
    if limit.expired():  # whatever work says that is ended: it may take us for the machine
        raise _late(frame)
    return message


def _late(frame: Frame) -> ending.FailedError:
    return ending.FailedError(f"it was not done within {quantities.spoken(frame.deadline)}")


def _end_at_signals(task: asyncio.Future[str], stopped: list[str]) -> None:
    """Cancel the work at SIGTERM and SIGINT, so that it puts back what it changed."""
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        stopped.append(number.name)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
