"""What a number or a string written in an expression stands for."""

import re
from typing import Final

from nodehealth.cel.errors import ExpressionError
from nodehealth.cel.lexer import Token

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

_ESCAPE: Final = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\?\"'`])|(?P<octal>[0-3][0-7]{2})"
    r"|[xX](?P<two>[0-9a-fA-F]{2})|u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8})"
    r"|(?P<wrong>[\s\S]))"
)
_PLAIN: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LAST: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def number(token: Token, *, negative: bool = False) -> int | float:
    """Read a number; its sign matters, as there is one more negative int than positive.

    Raises:
        ExpressionError: a whole number does not fit into 64 bits.
    """
    text, sign = token.text, -1 if negative else 1
    if not text.startswith("0x") and not text.isdigit():
        return sign * float(text)
    value = sign * int(text, 16 if text.startswith("0x") else 10)
    if not SMALLEST <= value <= LARGEST:
        written = f"-{text}" if negative else text
        raise ExpressionError(f"{written} does not fit into an int of 64 bits", token.column)
    return value


def string(token: Token) -> str:
    """Read a string, with its escapes unless it is raw.

    Raises:
        ExpressionError: an escape is unknown or names no character.
    """
    raw = token.text[0] in "rR"
    text = token.text[1:] if raw else token.text
    width = 3 if len(text) >= 6 and text[:3] in {'"""', "'''"} else 1
    body = text[width:-width]
    if raw and body.endswith("\\"):
        raise ExpressionError("a raw string cannot end with a backslash", token.column)
    if raw:
        return body
    start = token.column + width

    def character(escape: re.Match[str]) -> str:
        return _character(escape, start + escape.start())

    return _ESCAPE.sub(character, body)


def _character(escape: re.Match[str], column: int) -> str:
    if escape["plain"]:
        return _PLAIN.get(escape["plain"], escape["plain"])
    if escape["wrong"]:
        raise ExpressionError(f"unknown escape {escape[0]!r}; write \\\\ for a backslash", column)
    if escape["octal"]:
        return chr(int(escape["octal"], 8))
    code = int(escape["two"] or escape["four"] or escape["eight"], 16)
    if code > _LAST or code in _SURROGATES:
        raise ExpressionError(f"{escape[0]} is no Unicode character", column)
    return chr(code)
