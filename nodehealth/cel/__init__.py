"""A small, typed, total subset of the Common Expression Language.

    condition = cel.compile("code == 79 && count > 2", {"code": cel.INT, "count": cel.INT})
    condition({"code": 79, "count": 3})  # True

What is accepted here means the same everywhere else that CEL is spoken, the API server included.
There are no maps, bytes, unsigned numbers or messages written out, no regular expressions, no
times, and no loops but all() and exists(): evaluation ends soon, whatever the expression.

As in the API server, an int has an order with a double (`value > 0`) but equals only ints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nodehealth.cel.checker import Scope, bind_as
from nodehealth.cel.errors import EvaluationError, ExpressionError
from nodehealth.cel.evaluation import Evaluate, Values
from nodehealth.cel.parser import parse
from nodehealth.cel.syntax import Name, walk
from nodehealth.cel.types import BOOL, DOUBLE, DYN, INT, NULL, STRING, List, Map, Record, Type

__all__ = [
    "BOOL",
    "DOUBLE",
    "DYN",
    "INT",
    "NULL",
    "STRING",
    "EvaluationError",
    "ExpressionError",
    "List",
    "Map",
    "Program",
    "Record",
    "Type",
    "compile",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An expression that is known to fit its variables, ready to be evaluated many times."""

    text: str
    type: Type
    evaluate: Evaluate = field(repr=False, compare=False)
    names: frozenset[str] = frozenset()
    """All names that it speaks of, whatever they stand for."""

    def __call__(self, values: Values) -> bool:
        """Evaluate a condition.

        Raises:
            EvaluationError: it has no value for these: a key is missing, a number overflows.
        """
        holds: bool = self.evaluate(values)
        return holds

    def value(self, values: Values) -> object:
        """Evaluate an expression of any type.

        Raises:
            EvaluationError: it has no value for these: a key is missing, a number overflows.
        """
        found: object = self.evaluate(values)
        return found


def compile(text: str, env: Mapping[str, Type], *, expect: Type = BOOL) -> Program:  # noqa: A001 (read as cel.compile, like re.compile)
    """Check an expression against its variables' types and make it ready.

    Raises:
        ExpressionError: says what was expected, what was found, and where.
    """
    tree = parse(text)
    evaluate = bind_as(expect, tree, Scope(names=env))
    names = frozenset(node.name for node in walk(tree) if isinstance(node, Name))
    return Program(text=text, type=expect, evaluate=evaluate, names=names)
