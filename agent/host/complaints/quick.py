"""In how many ways at most a regular expression can be tried on one line; some are refused.

Python's expressions cannot be stopped once they run, and a line of the kernel's log may hold words
of anybody's choice. So what could take long is not let in: nothing repeats what repeats itself,
and the ways in which one line can be read are bounded by what is written down.
"""

import re
from typing import Final

LONGEST: Final = 256
"""Characters of a line that are looked at."""
MOST: Final = 1_000_000
"""Ways of which each costs some 20 ns: a hundredth of a second for the worst line."""

_TOKEN: Final = re.compile(
    r"""(?P<escape>\\(?P<escaped>.))
    |(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    |(?P<open>\((?P<kind>\?(?:P<\w+>|P?.))?)
    |(?P<close>\))
    |(?P<repeat>\{(?P<least>\d*)(?P<comma>,)?(?P<most>\d*)\}|[*+?])(?P<greed>[?+])?
    |(?P<either>\|)
    |(?P<plain>.)""",
    re.DOTALL | re.VERBOSE,
)
_GROUPS: Final = re.compile(r"\?(?::|P<\w+>)")


def ways(line: str) -> int:
    """Count them.

    Raises:
        ValueError: the expression repeats a group, refers back or looks around.
    """
    counted, before = 1, ""
    for token in _TOKEN.finditer(line):
        _allowed(token, before)
        counted *= _ways(token)
        before = token.lastgroup or ""
    return counted


def _allowed(token: re.Match[str], before: str) -> None:
    kind, escaped = token["kind"], token["escaped"]
    if kind and not _GROUPS.fullmatch(kind):
        raise ValueError(f"expected groups such as (?:…) and (?P<part>…) only, got {token[0]}")
    if escaped and escaped.isdecimal():
        raise ValueError(f"expected no reference to what was matched before, got {token[0]}")
    if token["repeat"] not in {None, "?"} and before == "close":
        raise ValueError("expected no group to be repeated, except by ?")


def _ways(token: re.Match[str]) -> int:
    if token["either"]:
        return 2
    repeat = token["repeat"]
    if repeat is None:
        return 1
    if repeat == "?":
        return 2
    if repeat in {"*", "+"} or (token["comma"] and not token["most"]):
        return LONGEST
    least, most = int(token["least"] or 0), int(token["most"] or token["least"] or 0)
    return max(1, most - least + 1)
