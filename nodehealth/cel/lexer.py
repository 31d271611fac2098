"""Where one word of an expression ends and the next begins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nodehealth.cel.errors import ExpressionError


class Kind(StrEnum):
    """What sort of word a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word and where it begins, counted from 1."""

    kind: Kind
    text: str
    column: int


_TOKEN: Final = re.compile(
    r"""
      (?P<space>(?:[\t\n\f\r ]|//[^\n]*)+)
    | (?P<string>
          [rR](?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')
        | \"{3}(?:[^\\]|\\[\s\S])*?\"{3} | '{3}(?:[^\\]|\\[\s\S])*?'{3}
        | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*'
      )
    | (?P<number>0x[0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]])
    """,
    re.VERBOSE,
)
_WORDS: Final = re.compile(r"[A-Za-z0-9_]+")
_HINTS: Final = {
    "=": "write == to compare",
    "&": "write && for and",
    "|": "write || for or",
    '"': "the string does not end",
    "'": "the string does not end",
    "{": "maps and messages cannot be written out",
}


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of an expression, and an END after the last.

    Raises:
        ExpressionError: some character cannot begin a word.
    """
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise ExpressionError(_unreadable(text[position]), position + 1)
        if found.lastgroup != "space":
            token = Token(kind=Kind(found.lastgroup), text=found[0], column=position + 1)
            _end_well(token, text, found.end())
            yield token
        position = found.end()
    yield Token(kind=Kind.END, text="", column=len(text) + 1)


def _unreadable(character: str) -> str:
    hint = _HINTS.get(character)
    return f"cannot read {character!r}" + (f": {hint}" if hint else "")


def _end_well(token: Token, text: str, end: int) -> None:
    """Refuse words that run into each other: they mean something elsewhere, or nothing."""
    after = text[end : end + 1]
    if token.kind is Kind.NUMBER and _WORDS.match(after):
        word = token.text + _WORDS.match(text, end)[0]  # type: ignore[index]  # matches: just seen
        why = "numbers are int or double here, never unsigned" if after in "uU" else "no number"
        raise ExpressionError(f"cannot read {word!r}: {why}", token.column)
    if token.kind is Kind.NAME and after in {'"', "'"}:
        raise ExpressionError(
            f'cannot read a string marked {token.text!r}: write "..." or r"..."', token.column
        )
