"""An expression that is accepted here means the same under Google's own implementation of CEL."""

import functools
import math
import re
from collections.abc import Mapping
from typing import Final

import pytest
from cel_expr_python import cel as google
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nodehealth import cel

INTS: Final = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1, 2**62]),
    st.integers(-(2**63), 2**63 - 1),
)
DOUBLES: Final = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -2.0, 0.5, 2.0**53, 2.0**63, math.nan, math.inf, -math.inf]),
    st.floats(),
)
STRINGS: Final = st.text(st.sampled_from("abé😀\uffff"), max_size=3)
LABELS: Final = st.dictionaries(STRINGS, STRINGS, max_size=3)
ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | INTS | DOUBLES | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=5,
)
FIELDS: Final[Mapping[str, tuple[cel.Type, st.SearchStrategy[object]]]] = {
    "code": (cel.INT, INTS),
    "ratio": (cel.DOUBLE, DOUBLES),
    "name": (cel.STRING, STRINGS),
    "labels": (cel.Map(cel.STRING, cel.STRING), LABELS),
    "any": (cel.DYN, ANYTHING.filter(lambda value: value is not None)),
}
RECORD: Final = cel.Record({name: type_ for name, (type_, _) in FIELDS.items()})
VARIABLES: Final[Mapping[str, tuple[cel.Type, st.SearchStrategy[object]]]] = {
    "i": (cel.INT, INTS),
    "j": (cel.INT, INTS),
    "d": (cel.DOUBLE, DOUBLES),
    "f": (cel.DOUBLE, DOUBLES),
    "b": (cel.BOOL, st.booleans()),
    "s": (cel.STRING, STRINGS),
    "t": (cel.STRING, STRINGS),
    "n": (cel.NULL, st.none()),
    "y": (cel.DYN, ANYTHING),
    "z": (cel.DYN, ANYTHING),
    "ints": (cel.List(cel.INT), st.lists(INTS, max_size=3)),
    "doubles": (cel.List(cel.DOUBLE), st.lists(DOUBLES, max_size=3)),
    "nested": (cel.List(cel.List(cel.INT)), st.lists(st.lists(INTS, max_size=2), max_size=2)),
    "m": (cel.Map(cel.STRING, cel.INT), st.dictionaries(STRINGS, INTS, max_size=3)),
    "anys": (cel.Map(cel.STRING, cel.DYN), st.dictionaries(STRINGS, ANYTHING, max_size=3)),
    "labels": (cel.Map(cel.STRING, cel.STRING), LABELS),
    "r": (RECORD, st.fixed_dictionaries({}, optional={n: v for n, (_, v) in FIELDS.items()})),
}
ENV: Final = {name: type_ for name, (type_, _) in VARIABLES.items()}
VALUES: Final = st.fixed_dictionaries({name: values for name, (_, values) in VARIABLES.items()})
SOME: Final[Mapping[str, object]] = {
    "i": 1,
    "j": 3,
    "d": 1.5,
    "f": -0.5,
    "b": True,
    "s": "a",
    "t": "b",
    "n": None,
    "y": {"a": 1},
    "z": 5,
    "ints": [1, 2, 3],
    "doubles": [0.5, math.nan],
    "nested": [[1], []],
    "m": {"a": 1},
    "anys": {"b": None},
    "labels": {"a": "b"},
    "r": {"code": 79, "labels": {"pool": "h100"}},
}

LEAVES: Final = {
    "int": "i; j; 0; 1; -1; 0x1F; 9223372036854775807; -9223372036854775808; r.code; m.a; ints[0]",
    "double": "d; f; 0.0; 1.5; -1e3; .5; r.ratio; doubles[0]",
    "bool": "b; true; false; has(r.code); has(m.a); has(r.labels.a); has(y.a); has(r.any.a)",
    "string": "s; ''; 'a'; r\"b\\d\"; r.name; labels['a']; '\\u00e9'; labels.b",
    "dyn": "y; r.any; y.a; y['b']; y[0]; r.any.a.b; anys.a; anys[s]",
    "ints": "ints; [1, 2]; nested[0]; (b ? [] : ints)",
    "doubles": "doubles; [1.0]",
    "map": "m",
}
BRANCHES: Final = {
    "int": """
        ({int} + {int}); ({int} - {int}); ({int} * {int}); ({int} / {int}); ({int} % {int});
        -({int}); size({string}); {ints}.size(); size({map}); m[{string}]; {ints}[{int}];
        int({double}); ({bool} ? {int} : {int})""",
    "double": """
        ({double} + {double}); ({double} - {double}); ({double} * {double}); ({double} / {double});
        (-{double}); double({int}); double({double}); {doubles}[{int}];
        ({bool} ? {double} : {double})""",
    "bool": """
        ({bool} && {bool}); ({bool} || {bool}); ({bool} || {bool} || {bool}); !{bool};
        ({int} == {int}); ({int} != {int}); ({int} < {int}); ({int} >= {int}); ({bool} < {bool});
        ({double} != {double}); ({double} < {double}); ({double} <= {double}); (n == null);
        ({string} == {string}); ({string} < {string}); ({bool} == {bool}); ({double} == {double});
        ({dyn} == {dyn}); ({dyn} != {int}); ({dyn} == {double}); ({string} == {dyn}); (n == {dyn});
        ({dyn} < {dyn}); ({dyn} >= {int}); ({double} < {dyn}); ({dyn} <= {string});
        ({bool} > {dyn}); ({ints} == {ints}); ({doubles} == {doubles}); ({ints} != {dyn});
        (nested == [{ints}]); ({map} == {map}); ({dyn} == {map}); (r == r);
        (anys == {map}); ({dyn} == null); ({dyn} == [{dyn}, {dyn}]); ({int} in {ints});
        ({double} in {doubles});
        ({string} in labels); ({dyn} in {ints}); ({int} in [{dyn}]); ({ints} in nested);
        ({string} in [{string}, "a"]); ({double} in [{dyn}]); ({int} in []); ([] == {ints});
        {string}.startsWith({string}); {string}.endsWith({string}); {string}.contains({string});
        {ints}.all(x, x > {int}); {ints}.exists(x, {int} / x == 1); {ints}.all(i, {bool});
        m.all(k, m[k] >= {int}); labels.exists(k, k == {string}); [].all(x, {bool});
        doubles.all(x, x == x || {bool}); nested.exists(x, x.all(z, z < {int}));
        ({bool} ? {bool} : {bool})""",
    "string": "({string} + {string}); ({bool} ? {string} : {string})",
    "dyn": "({bool} ? {dyn} : {dyn})",
    "ints": "[{int}]; [{int}, {int}]; ({bool} ? {ints} : {ints})",
    "doubles": "[{double}]; [{double}, d]",
    "map": "({bool} ? {map} : {map})",
}


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int = 3) -> str:
    forms = LEAVES[kind] if depth == 0 else f"{LEAVES[kind]}; {BRANCHES[kind]}"
    form = draw(st.sampled_from(forms.split(";"))).strip()
    return re.sub(r"\{(\w+)\}", lambda part: draw(expressions(part[1], depth - 1)), form)


def google_type(type_: cel.Type) -> google.Type:
    """Declare a type to Google; a record becomes a map, as there are no messages here."""
    match type_:
        case cel.List(of):
            return google.Type.List(google_type(of))
        case cel.Map(_, of):
            return google.Type.Map(google.Type.STRING, google_type(of))
        case cel.Record():
            return google.Type.Map(google.Type.STRING, google.Type.DYN)
    return getattr(google.Type, type_.name)


GOOGLE: Final = google.NewEnv(variables={name: google_type(type_) for name, type_ in ENV.items()})


@functools.lru_cache(maxsize=200)
def google_program(text: str) -> google.Expression:
    return GOOGLE.compile(text)


@functools.lru_cache(maxsize=200)
def program(text: str) -> cel.Program:
    """Compile here, as whatever type it is."""
    return cel.compile(text, ENV, expect=cel.DYN)


def theirs(text: str, values: Mapping[str, object]) -> object:
    """Evaluate under Google's CEL; None stands for an error."""
    value = google_program(text).eval(data=values)
    return None if value.type() == google.Type.ERROR else value.plain_value()


def ours(text: str, values: Mapping[str, object]) -> object:
    """Evaluate here; None stands for an error."""
    try:
        return program(text).value(values)
    except cel.EvaluationError:
        return None


def same(left: object, right: object) -> bool:
    """Say whether two results are one, down to the sign of zero; NaN is the same as NaN."""
    return repr(left) == repr(right)


@pytest.mark.parametrize("kind", ["int", "double", "bool", "string"])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), values=VALUES)
def test_an_expression_has_the_same_value_or_fails_in_both(
    kind: str, data: st.DataObject, values: Mapping[str, object]
) -> None:
    text = data.draw(expressions(kind))
    assume(len(re.findall(r"\.(all|exists)\(", text)) <= 2)

    assert same(ours(text, values), theirs(text, values)), text


COMPARISONS: Final = [f"{{0}} {sign} {{1}}" for sign in ("==", "!=", "<", "<=", ">", ">=")]
OPERATIONS: Final = {
    ("i", "j"): (
        [f"{{0}} {sign} {{1}}" for sign in "+-*/%"] + ["-{0}", "double({0})", "{0} in [{1}, 1]"]
    ),
    ("d", "f"): (
        [f"{{0}} {sign} {{1}}" for sign in "+-*/"] + ["-{0}", "int({0})", "{0} in [{1}, 1.0]"]
    ),
    ("s", "t"): ["{0} + {1}", "size({0})", "{0}.startsWith({1})", "{0}.contains({1})"],
    ("y", "z"): ["{0} in [{1}, y]"],
}


@pytest.mark.parametrize("pair", OPERATIONS, ids=" and ".join)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_operation_has_the_same_result_or_fails_in_both(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    values = {name: data.draw(VARIABLES[name][1]) for name in pair}
    texts = [form.format(*pair) for form in (*OPERATIONS[pair], *COMPARISONS)]

    for text in texts:
        assert same(ours(text, values), theirs(text, values)), text


@pytest.mark.parametrize("relation", ["<", "<=", ">", ">="])
@settings(deadline=None)
@given(whole=INTS, double=DOUBLES)
@example(whole=2**63 - 1, double=2.0**63)
@example(whole=2**53 + 1, double=2.0**53)
def test_an_int_is_ordered_with_a_double_as_google_orders_dynamic_ones(
    relation: str, whole: int, double: float
) -> None:
    values = {**SOME, "i": whole, "d": double}

    # Google's checker has this overload only for dyn; the API server's (cel-go) has it for all.
    assert ours(f"i {relation} d", values) == theirs(f"dyn(i) {relation} d", values)
    assert ours(f"d {relation} i", values) == theirs(f"d {relation} dyn(i)", values)


SPARE: Final = (
    "i j 1 -1 s 'a' b true ints m labels size has all x",
    "[ ] [ ] ( ) ( ) , . ? : && || ! - + * / % < <= == != in",
)
SEEDS: Final = (
    "i + 1 * j - 1 / j % 1 < i && b || ! b == true",
    "b ? i : j == 1 ? i : - 1",
    "ints . all ( x , x > 1 && x in [ 1 , i ] )",
    "has ( m . a ) && m [ 'a' ] == size ( ints ) || 'b' in labels",
    "- i * - - j + ints [ 0 ] - ( i - ( j - 1 ) )",
    "! ! b || ! ints . exists ( x , x == 1 , ) && labels . a . size ( ) > 0",
)


@st.composite
def almost(draw: st.DrawFn) -> str:
    """Write an expression without needless brackets and spoil a word or two."""
    words = draw(st.sampled_from(SEEDS)).split()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(words) - 1))
        words[at : at + draw(st.integers(0, 2))] = draw(
            st.lists(st.sampled_from(" ".join(SPARE).split()), max_size=2)
        )
        assume(words)
    return draw(st.sampled_from([" ", "  ", "\n"])).join(words)


def accepted(text: str) -> bool:
    try:
        program(text)
    except cel.ExpressionError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        *(
            "i + j * 2",
            "j * 2 + i",
            "j - 2 * j",
            "7 - 2 - 3",
            "7 - 2 + 3",
            "64 / 4 / 2",
            "7 % 4 * 2",
        ),
        *("1 + j < 5 == b", "b || b && false", "false && b || b", "!b == b", "-j + 4", "-ints[0]"),
        *("b ? 1 : false ? 2 : 3", "b || false ? 1 : 2", "1 in ints == b", "- -j", "---j", "!!b"),
    ],
)
def test_operators_bind_as_they_do_there(text: str) -> None:
    assert same(ours(text, SOME), theirs(text, SOME))


@settings(max_examples=400, deadline=None)
@given(text=almost())
def test_whatever_is_accepted_here_is_accepted_there_and_binds_the_same_way(text: str) -> None:
    assert not accepted(text) or same(ours(text, SOME), theirs(text, SOME)), text
