"""What is said of a text that is no expression, or whose types do not fit."""

from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodehealth import cel

ENV: Final[Mapping[str, cel.Type]] = {
    "code": cel.INT,
    "pci": cel.STRING,
    "value": cel.DOUBLE,
    "node": cel.Record({"name": cel.STRING, "labels": cel.Map(cel.STRING, cel.STRING)}),
    "any": cel.DYN,
}
KNOWN: Final = "known are any, code, node, pci, value"
FUNCTIONS: Final = "known are all, contains, double, endsWith, exists, has, int, size, startsWith"
AS_DOUBLE: Final = "write 79.0 for 79, or double(x) for x"


def complaint(text: str, expect: cel.Type = cel.BOOL) -> cel.ExpressionError:
    with pytest.raises(cel.ExpressionError) as error:
        cel.compile(text, ENV, expect=expect)
    return error.value


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("cod == 79", 1, f'unknown name "cod"; {KNOWN}; did you mean code?'),
        ("code == 1 && True", 14, f'unknown name "True"; {KNOWN}; did you mean true?'),
        ("zzz", 1, f'unknown name "zzz"; {KNOWN}'),
        (
            'node.lables["pool"] == "a"',
            6,
            'node has no field "lables"; known are labels, name; did you mean labels?',
        ),
        ("has(node.zzz)", 10, 'node has no field "zzz"; known are labels, name'),
        (
            'pci.startswith("0")',
            5,
            f'unknown function "startswith"; {FUNCTIONS}; did you mean startsWith?',
        ),
        ('pci.matches("0")', 5, f'unknown function "matches"; {FUNCTIONS}'),
        ("[1].map(x, x)", 5, f'unknown function "map"; {FUNCTIONS}'),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_the_nearest_known_one(
    text: str, column: int, message: str
) -> None:
    error = complaint(text)

    assert (error.column, error.message) == (column, message)
    assert str(error) == f"column {column}: {message}"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("pci == 3", 5, "cannot compare string with int"),
        ("node == node.labels", 6, "cannot compare record with map(string, string)"),
        ("code == null", 6, "cannot compare int with null"),
        ("code == 79.0", 6, f"cannot compare int with double; {AS_DOUBLE}"),
        ("value == 1", 7, f"cannot compare double with int; {AS_DOUBLE}"),
        ("code in [1.0]", 6, "cannot look for int in list(double)"),
        ("code in node.labels", 6, "cannot look for int in map(string, string)"),
        ("'name' in node", 8, "cannot look for string in record"),
        ("any in node.labels", 5, "cannot look for dyn in map(string, string)"),
        ("pci < 3", 5, "cannot order string and int"),
        ("[1] < [2]", 5, "cannot order list(int) and list(int)"),
        ("node < any", 6, "cannot order record and dyn"),
        ("code + value > 1.0", 6, f"cannot add int and double; {AS_DOUBLE}"),
        ("code - 'a' == 1", 6, "cannot subtract string from int"),
        ("[1] * [1] == [1]", 5, "cannot multiply list(int) and list(int)"),
        ("pci / pci == pci", 5, "cannot divide string by string"),
        ("value % 2.0 == 0.0", 7, "cannot take the remainder of double by double"),
        ("any + 1 == 2", 5, "cannot add dyn and int"),
        ("-pci == pci", 1, "cannot apply - to string"),
        ("!code", 1, "cannot apply ! to int"),
        ("-node == node", 1, "cannot apply - to record"),
        ("!any", 1, "cannot apply ! to dyn"),
        ("code && true", 1, "expected bool, found int"),
        ("true || any", 9, "expected bool, found dyn"),
        ("value > 1.0 ? 1 : 2", 13, "expected bool, found int"),
        ("code ? true : false", 1, "expected bool, found int"),
        ("true ? 1 : pci", 6, "cannot choose between int and string"),
        ("true ? any : true", 6, "cannot choose between dyn and bool"),
        ("[1, 'a'] == [1]", 5, "a list of int cannot hold string"),
        ("node['name'] == 'a'", 5, "record has no items; write node.name"),
        ("code[0] == 1", 5, "int has no items"),
        ("node.labels[1] == 'a'", 13, "expected string, found int"),
        ("[1]['a'] == 1", 5, "expected int, found string"),
        ("any[1.0] == 1", 5, "expected string, found double"),
        ("code.name == 1", 6, "int has no fields"),
        ("has(pci.name)", 9, "string has no fields"),
        ("size(code) > 1", 1, "size takes string or list or map, as in size(slots); found int"),
        ("size() > 1", 1, "size takes string or list or map, as in size(slots); found nothing"),
        ("startsWith(pci, 'a')", 1, 'startsWith is written as in name.startsWith("x")'),
        ("value.int() == 1", 7, "int is written as in int(value)"),
        (
            "pci.contains(1)",
            5,
            'contains takes string and string, as in name.contains("x"); found string, int',
        ),
        ("pci.all(x, true)", 5, "all() looks through a list or map, found string"),
        ("any.exists(x, true)", 5, "exists() looks through a list or map, found dyn"),
        ("[1].all(x, x)", 12, "expected bool, found int"),
        (
            "[1].all(x, [x].all(y, [y].all(z, true)))",
            27,
            "more than 2 of all() and exists() inside each other",
        ),
    ],
)  # fmt: skip
def test_types_that_do_not_fit_are_named_where_they_meet(
    text: str, column: int, message: str
) -> None:
    error = complaint(text)

    assert (error.column, error.message) == (column, message)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected a value, found the end"),
        ("code ==", 8, "expected a value, found the end"),
        ("code = 79", 6, "cannot read '=': write == to compare"),
        ("code == 79 & true", 12, "cannot read '&': write && for and"),
        ("code == 79 | true", 12, "cannot read '|': write || for or"),
        ("code == 79 and true", 12, "expected an operator or the end, found 'and'; write &&"),
        ("code == 79 or true", 12, "expected an operator or the end, found 'or'; write ||"),
        ("(code == 79", 12, "expected ')', found the end"),
        ("code in [1, 2", 14, "expected ']', found the end"),
        ("true ? 1", 9, "expected ':', found the end"),
        ("true ? true ? 1 : 2 : 3", 13, "expected ':', found '?'"),
        ("size(pci,) == 1", 10, "expected a value, found ')'"),
        ("node.in == 1", 6, "expected the name of a field, found 'in'"),
        ("-!true", 2, "expected a value, found '!'"),
        ("if == 1", 1, "'if' is a reserved word"),
        ("code == 79 $", 12, "cannot read '$'"),
        ("code == {}", 9, "cannot read '{': maps and messages cannot be written out"),
        ("pci == 'abc", 8, "cannot read \"'\": the string does not end"),
        ("pci == b'abc'", 8, "cannot read a string marked 'b': write \"...\" or r\"...\""),
        (r"pci == r'a\'", 8, "a raw string cannot end with a backslash"),
        (r"pci == 'a\d'", 10, r"unknown escape '\\d'; write \\ for a backslash"),
        (r"pci == '\ud800'", 9, r"\ud800 is no Unicode character"),
        ("code == 79u", 9, "cannot read '79u': numbers are int or double here, never unsigned"),
        ("code == 1_000", 9, "cannot read '1_000': no number"),
        ("1 == 9223372036854775808", 6, "9223372036854775808 does not fit into an int of 64 bits"),
        ("has(code)", 1, "has() takes one field, as in has(self.spec)"),
        ("[1].all(1, true)", 5, "all() takes a name and a condition, as in all(x, x > 0)"),
        ("code", 1, "expected bool, found int"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_expression_is_told_what_was_expected(
    text: str, column: int, message: str
) -> None:
    error = complaint(text)

    assert (error.column, error.message) == (column, message)


def test_an_expression_longer_than_4096_characters_is_refused() -> None:
    cel.compile("true".ljust(4096), ENV)

    assert complaint("true".ljust(4097)).message == "longer than 4096 characters"


def test_a_number_of_thousands_of_digits_is_refused_like_any_that_is_too_large() -> None:
    assert complaint("0x" + "f" * 4000).message.endswith("f does not fit into an int of 64 bits")
    assert complaint("-" + "9" * 4000).message.endswith("9 does not fit into an int of 64 bits")


@pytest.mark.parametrize("opening", ["(", "[", "size(", "true?1:", "any["])
def test_what_nests_too_deeply_is_refused_before_it_harms(opening: str) -> None:
    assert complaint(opening * 500).message == "nested more than 32 deep"


@pytest.mark.parametrize(
    "text", ["1" + "+1" * 2000, "node" + ".labels" * 500, "any" + "[0]" * 1300, "1" + "<1" * 2000]
)
def test_a_chain_of_too_many_operations_is_refused_before_it_harms(text: str) -> None:
    assert complaint(text).message == "more than 32 operations inside each other"


def test_thirty_one_brackets_and_thirty_one_operations_are_fine() -> None:
    assert cel.compile("(" * 31 + "true" + ")" * 31, ENV)({})
    assert cel.compile("1" + "+1" * 30 + " == 31", ENV)({})


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("codepciany .,()[]!-+*/%<>=&|?:'\"\\ r10xe\n"), max_size=30))
def test_any_text_is_an_expression_or_a_complaint_with_a_column_in_it(text: str) -> None:
    column = 1
    try:
        cel.compile(text, ENV, expect=cel.DYN)
    except cel.ExpressionError as error:
        column = error.column

    assert 1 <= column <= len(text) + 1
