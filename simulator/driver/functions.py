"""Which functions of NVML the library has, as its sources say."""

import re
from functools import cache
from typing import Final

from simulator.driver import build

_DEFINED: Final = re.compile(
    r"^(?:EXPORT (?:const )?\w+ \*?|(?:NUMBER|NUMBER_OF|NUMBER_OF_TWO|PAIR|TEXT|SYSTEM_TEXT)\()"
    r"(nvml\w+)",
    re.MULTILINE,
)
_SAME: Final = {"nvmlInit": "nvmlInit_v2", "nvmlInitWithFlags": "nvmlInit_v2"}
"""Doors to one room."""


@cache
def known() -> frozenset[str]:
    """Return their names."""
    sources = build.SOURCES.glob("*.c")
    return frozenset(name for file in sources for name in _DEFINED.findall(file.read_text()))


def named(function: str) -> str:
    """Return the name by which the library knows a function.

    Raises:
        LookupError: It has no such function, so nothing would come of what is said about it.
    """
    name = _SAME.get(function, function)
    versions = (name, f"{name}_v2", f"{name}_v3")
    found = next((each for each in versions if each in known()), None)
    if found is None:
        raise LookupError(f"{function}: the library has no such function of NVML")
    return found
