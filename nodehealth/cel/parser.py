"""From the text of an expression to its tree, by precedence."""

import functools
from typing import Final

from nodehealth.cel import lexer, literals, syntax
from nodehealth.cel.errors import ExpressionError
from nodehealth.cel.lexer import Kind, Token

LONGEST: Final = 4096
DEEPEST: Final = 32
_KEPT: Final = 512
"""How many trees are kept: the same few expressions are read again and again."""

KEYWORDS: Final = {"true": True, "false": False, "null": None}
# fmt: off
_RESERVED: Final = frozenset((
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let",
    "loop", "namespace", "package", "return", "var", "void", "while",
))
# fmt: on
_LOGIC: Final = {"||": 1, "&&": 2}
_RELATIONS: Final = dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3)
_PRECEDENCE: Final = {**_LOGIC, **_RELATIONS, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_QUANTIFIERS: Final = frozenset({"all", "exists"})
_SLIPS: Final = {"and": "&&", "or": "||", "not": "!", "is": "=="}


@functools.lru_cache(maxsize=_KEPT)
def parse(text: str) -> syntax.Expression:
    """Read one whole expression.

    Raises:
        ExpressionError: the text is no expression, is too long, or nests too deeply.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters", LONGEST + 1)
    parser = _Parser(list(lexer.tokens(text)))
    root = parser.expression()
    if parser.peek.kind is not Kind.END:
        raise parser.wrong("an operator or the end")
    if syntax.depth(root) > DEEPEST:
        raise ExpressionError(f"more than {DEEPEST} operations inside each other", root.column)
    return root


class _Parser:
    """Walks over the tokens once, from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._nesting = 0

    @property
    def peek(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._position]

    def wrong(self, expected: str) -> ExpressionError:
        """Say what was expected where the next token stands."""
        found = self.peek
        what = repr(found.text) if found.text else "the end"
        meant = _SLIPS.get(found.text)
        hint = f"; write {meant}" if meant else ""
        return ExpressionError(f"expected {expected}, found {what}{hint}", found.column)

    def expression(self) -> syntax.Expression:
        """Read a choice or anything that binds tighter."""
        self._nesting += 1
        if self._nesting > DEEPEST:
            raise ExpressionError(f"nested more than {DEEPEST} deep", self.peek.column)
        node = self._operators(1)
        if self.peek.text == "?":
            column = self._next().column
            yes = self._operators(1)
            self._expect(":")
            no = self.expression()
            node = syntax.Choice(column=column, condition=node, yes=yes, no=no)
        self._nesting -= 1
        return node

    def _operators(self, level: int) -> syntax.Expression:
        left = self._unary()
        while (binds := _PRECEDENCE.get(self.peek.text, 0)) >= level:
            operator = self._next()
            left = _combine(operator, left, self._operators(binds + 1))
        return left

    def _unary(self) -> syntax.Expression:
        first, count = self.peek, 0
        while first.text in {"!", "-"} and self.peek.text == first.text:
            self._next()
            count += 1
        if first.text == "-" and count == 1 and self.peek.kind is Kind.NUMBER:
            value = literals.number(self._next(), negative=True)
            return self._suffixes(syntax.Literal(column=first.column, value=value))
        operand = self._suffixes(self._primary())
        if count % 2 == 0:
            return operand
        return syntax.Unary(column=first.column, operator=first.text, operand=operand)

    def _suffixes(self, node: syntax.Expression) -> syntax.Expression:
        while self.peek.text in {".", "["}:
            opening = self._next()
            if opening.text == "[":
                key = self.expression()
                self._expect("]")
                node = syntax.Index(column=opening.column, operand=node, key=key)
            else:
                node = self._member(node)
        return node

    def _member(self, operand: syntax.Expression) -> syntax.Expression:
        name = self.peek
        if name.kind is not Kind.NAME or name.text in KEYWORDS or name.text == "in":
            raise self.wrong("the name of a field")
        self._next()
        if self.peek.text != "(":
            return syntax.Select(column=name.column, operand=operand, field=name.text)
        arguments = self._arguments(")")
        if name.text in _QUANTIFIERS:
            return _quantified(name, operand, arguments)
        return syntax.Call(
            column=name.column, function=name.text, arguments=(operand, *arguments), method=True
        )

    def _primary(self) -> syntax.Expression:
        token = self.peek
        if token.kind is Kind.NUMBER:
            return syntax.Literal(column=token.column, value=literals.number(self._next()))
        if token.kind is Kind.STRING:
            return syntax.Literal(column=token.column, value=literals.string(self._next()))
        if token.kind is Kind.NAME:
            return self._named()
        if token.text == "[":
            return syntax.ListLiteral(column=token.column, items=self._arguments("]"))
        if token.text != "(":
            raise self.wrong("a value")
        self._next()
        inner = self.expression()
        self._expect(")")
        return inner

    def _named(self) -> syntax.Expression:
        name = self._next()
        if name.text in KEYWORDS:
            return syntax.Literal(column=name.column, value=KEYWORDS[name.text])
        if name.text in _RESERVED:
            raise ExpressionError(f"{name.text!r} is a reserved word", name.column)
        if self.peek.text != "(":
            return syntax.Name(column=name.column, name=name.text)
        arguments = self._arguments(")")
        if name.text == "has":
            return _has(name, arguments)
        return syntax.Call(
            column=name.column, function=name.text, arguments=arguments, method=False
        )

    def _arguments(self, closing: str) -> tuple[syntax.Expression, ...]:
        """Read from the opening bracket to the closing one; a list may end with a comma."""
        self._next()
        items: list[syntax.Expression] = []
        while self.peek.text != closing or (items and closing == ")"):
            items.append(self.expression())
            if self.peek.text != ",":
                break
            self._next()
        self._expect(closing)
        return tuple(items)

    def _next(self) -> Token:
        token = self.peek
        self._position += 1
        return token

    def _expect(self, text: str) -> None:
        if self.peek.text != text:
            raise self.wrong(repr(text))
        self._next()


def _combine(
    operator: Token, left: syntax.Expression, right: syntax.Expression
) -> syntax.Expression:
    if operator.text not in _LOGIC:
        return syntax.Binary(column=operator.column, operator=operator.text, left=left, right=right)
    joined = isinstance(left, syntax.Logic) and left.operator == operator.text
    terms = left.terms if joined and isinstance(left, syntax.Logic) else (left,)
    return syntax.Logic(column=operator.column, operator=operator.text, terms=(*terms, right))


def _has(name: Token, arguments: tuple[syntax.Expression, ...]) -> syntax.Expression:
    match arguments:
        case (syntax.Select() as field,):
            return syntax.Has(column=name.column, field=field)
    raise ExpressionError("has() takes one field, as in has(self.spec)", name.column)


def _quantified(
    name: Token, over: syntax.Expression, arguments: tuple[syntax.Expression, ...]
) -> syntax.Expression:
    match arguments:
        case (syntax.Name(name=variable), condition):
            return syntax.Quantified(
                column=name.column,
                quantifier=name.text,
                over=over,
                name=variable,
                condition=condition,
            )
    raise ExpressionError(
        f"{name.text}() takes a name and a condition, as in {name.text}(x, x > 0)", name.column
    )
