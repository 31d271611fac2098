"""What an answer of NVML says, if it says anything: nonsense is unknown, never an exception."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agent.host.nvml.facts import NOT_SUPPORTED, Answers
from nodehealth.signals import Knowledge

FIELDS: Final = "nvmlDeviceGetFieldValues"
_ABSENT: Final = 3
"""NVML's code for what is not supported; what is not among the answers is as good as that."""
_LARGEST: Final = 2**63 - 1
_WORDS: Final[Mapping[int, str]] = {
    2: "invalid argument",
    4: "no permission",
    6: "not found",
    7: "insufficient size",
    8: "insufficient power",
    9: "driver not loaded",
    10: "timeout",
    11: "interrupt problem",
    12: "no NVML library",
    14: "InfoROM corrupt",
    15: "GPU is lost",
    16: "reset required",
    17: "operating system",
    18: "versions of NVML and kernel module differ",
    19: "in use",
    20: "out of memory",
    21: "no data",
    23: "insufficient resources",
    999: "unknown error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Why something is not told: there is no such thing, or it could not be read."""

    knowledge: Knowledge
    why: str = ""
    """Why it is unknown, in words that stay the same while it is."""


ABSENT: Final = Silence(knowledge=Knowledge.NOT_APPLICABLE)


def unknown(why: str) -> Silence:
    """Say that something could not be read."""
    return Silence(knowledge=Knowledge.UNKNOWN, why=why)


def number(answers: Answers, function: str, *within: str | int) -> int | Silence:
    """Return a whole number that NVML gave, or why there is none.

    Args:
        answers: All that NVML said of a GPU.
        function: NVML's name of the call.
        within: Where in its answer: names and arguments of a mapping, places in a list.
    """
    said = _said(answers, function, within)
    if isinstance(said, Silence):
        return said
    if type(said) is not int or not -_LARGEST <= said <= _LARGEST:
        return unknown(f"{function}: expected a number, got {said!r:.40}")
    return said


def count(answers: Answers, function: str, *within: str | int) -> int | Silence:
    """Return a number that cannot be negative; likewise."""
    said = number(answers, function, *within)
    if isinstance(said, int) and said < 0:
        return unknown(f"{function}: expected a number >= 0, got {said}")
    return said


def field(answers: Answers, which: int, scope: int | None = None) -> int | Silence:
    """Return the value of one of NVML's fields, of a link if a scope is given; likewise."""
    return count(answers, FIELDS, f"{which}" if scope is None else f"{which}/{scope}")


def text(answers: Answers, function: str, *within: str | int) -> str | Silence:
    """Return a text that NVML gave; likewise."""
    said = _said(answers, function, within)
    if isinstance(said, Silence):
        return said
    if not isinstance(said, str) or not said:
        return unknown(f"{function}: expected a text, got {said!r:.40}")
    return said


def called(answers: Answers, function: str) -> Silence | None:
    """Return nothing of a call that only succeeds or fails and succeeded; else why it did not."""
    said = _said(answers, function, ())
    return said if isinstance(said, Silence) else None


def told(answers: Answers, function: str) -> tuple[str, ...]:
    """Return the arguments, such as links, for which a call gave something that is no error."""
    said = answers.get(function)
    if not isinstance(said, Mapping) or _code(said) is not None:
        return ()
    return tuple(str(each) for each, value in said.items() if _code(value) is None)


def codes(answers: Answers) -> Iterator[tuple[str, int]]:
    """Give the errors that calls returned as a whole, by their function."""
    for function, said in answers.items():
        if (code := _code(said)) is not None:
            yield function, code


def error(answers: Answers, function: str) -> int | None:
    """Return the error that a call returned as a whole, if it did."""
    return _code(answers.get(function))


def any_code(answers: Answers, code: int) -> bool:
    """Say whether any call returned an error, or any part of one did."""
    parts = (part for said in answers.values() for part in _parts(said))
    return any(_code(each) == code for each in parts)


def words(code: int) -> str:
    """Say in words what one of NVML's errors means."""
    return _WORDS.get(code, f"error {code}")


def _said(answers: Answers, function: str, within: tuple[str | int, ...]) -> object:
    said: object = answers.get(function, {"error": _ABSENT})
    for each in within:
        if _code(said) is None:
            said = _part(said, each)
    code = _code(said)
    return said if code is None else _silence(function, code)


def _part(said: object, which: str | int) -> object:
    if isinstance(said, Mapping):
        return said.get(which, {"error": _ABSENT})
    if isinstance(said, list | tuple) and isinstance(which, int) and which < len(said):
        return said[which]
    return None


def _parts(said: object) -> Iterator[object]:
    yield said
    if isinstance(said, Mapping):
        yield from said.values()


def _code(said: object) -> int | None:
    """Return NVML's error if that is what an answer is."""
    # a dict is all that JSON gives, and to ask for a Mapping takes five times as long
    code = said.get("error") if isinstance(said, dict) and len(said) == 1 else None
    return code if type(code) is int else None


def _silence(function: str, code: int) -> Silence:
    return ABSENT if code in NOT_SUPPORTED else unknown(f"{function}: {words(code)}")
