"""What conditions say of the values that rules and custom resources meet."""

import math
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodehealth import cel

RULE: Final[Mapping[str, cel.Type]] = {
    "code": cel.INT,
    "value": cel.DOUBLE,
    "fstype": cel.STRING,
    "node": cel.Record({"labels": cel.Map(cel.STRING, cel.STRING)}),
    "capacity": cel.Map(cel.STRING, cel.INT),
}
NODE: Final = {
    "code": 79,
    "value": 0.04,
    "fstype": "xfs",
    "node": {"labels": {"pool": "h100"}},
    "capacity": {"nvidia.com/gpu": 8},
}
RESOURCE: Final = cel.Record(
    {
        "epoch": cel.INT,
        "owner": cel.STRING,
        "limit": cel.DYN,
        "spec": cel.Record({"node": cel.STRING}),
        "slots": cel.Map(cel.STRING, cel.Record({"epoch": cel.INT})),
        "rungs": cel.List(cel.STRING),
    }
)
CHANGE: Final[Mapping[str, cel.Type]] = {"self": RESOURCE, "oldSelf": RESOURCE}


def of_node(text: str) -> bool:
    return cel.compile(text, RULE)(NODE)


def of_change(text: str, now: object, before: object) -> bool:
    return cel.compile(text, CHANGE)({"self": now, "oldSelf": before})


@pytest.mark.parametrize(
    "text",
    [
        "code == 79",
        "code in [48, 79]",
        'value < 0.05 && fstype in ["ext4", "xfs"]',
        "value > 0",
        'node.labels["pool"] == "h100" && capacity["nvidia.com/gpu"] > 4',
        'node.labels.pool.startsWith("h") && !("gone" in node.labels)',
        'has(node.labels.pool) ? code != 0 : code == 0  // "else" is a colon',
        "capacity.exists(name, name.contains('gpu') && capacity[name] % 8 == 0)",
        "double(code) / 2.0 > 39.4 && int(value) == 0",
        "-value / 0.0 < -1e308 && 0.0 / 0.0 != 0.0 / 0.0",
    ],
)
def test_a_rule_holds_for_the_node_it_describes(text: str) -> None:
    assert of_node(text)


@pytest.mark.parametrize(
    ("text", "now", "before", "holds"),
    [
        ("self.epoch >= oldSelf.epoch", {"epoch": 3}, {"epoch": 2}, True),
        ("self.epoch >= oldSelf.epoch", {"epoch": 1}, {"epoch": 2}, False),
        ("self == oldSelf", {"spec": {"node": "a"}}, {"spec": {"node": "a"}}, True),
        ("self.spec == oldSelf.spec", {"spec": {"node": "a"}}, {"spec": {"node": "b"}}, False),
        ("has(self.spec) && size(self.slots) <= 1", {"spec": {}, "slots": {"a": {}}}, {}, True),
        ("!has(oldSelf.owner) || has(self.owner)", {}, {"owner": "a"}, False),
        ("!has(oldSelf.owner) || has(self.owner)", {}, {}, True),
        ("self.slots.all(n, self.slots[n].epoch > 0)", {"slots": {"a": {"epoch": 1}}}, {}, True),
        ("self.rungs.exists(r, r == 'reboot')", {"rungs": ("drain", "reboot")}, {}, True),
        ("self.rungs == oldSelf.rungs", {"rungs": ["drain"]}, {"rungs": ("drain",)}, True),
        ("self.limit == '10%' || self.limit > 2", {"limit": "10%"}, {}, True),
        ("self.limit == '10%' || self.limit > 2", {"limit": 3}, {}, True),
    ],
)
def test_a_custom_resource_is_held_to_its_validations(
    text: str, now: Mapping[str, object], before: Mapping[str, object], *, holds: bool
) -> None:
    assert of_change(text, now, before) is holds


def test_null_in_a_record_counts_as_absent() -> None:
    assert not of_change("has(self.owner)", {"owner": None}, {})
    with pytest.raises(cel.EvaluationError, match="self has no owner"):
        of_change("self.owner == 'a'", {"owner": None}, {})


def test_null_in_a_map_is_a_value() -> None:
    program = cel.compile("has(m.a) && m.a == null", {"m": cel.Map(cel.STRING, cel.DYN)})

    assert program({"m": {"a": None}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('node.labels["zone"] == "a"', 'node.labels has no key "zone"'),
        ("capacity.cpu > 1", 'capacity has no key "cpu"'),
        ("[1, 2][code] == 1", "the value has 2 items and none at 79"),
        ("[1, 2][-1] == 1", "the value has 2 items and none at -1"),
        ("code / 0 == 1", "division by zero"),
        ("code % (code - 79) == 1", "remainder of a division by zero"),
        ("code + 9223372036854775807 > 0", "int overflow"),
        ("(-9223372036854775808 + code - code) % -1 == 0", "int overflow"),
        ("int(value / 0.0) > 0", "double does not fit into an int"),
        ("int(-9223372036854775808.0) < 0", "double does not fit into an int"),
    ],
)
def test_what_has_no_value_says_why(text: str, why: str) -> None:
    with pytest.raises(cel.EvaluationError) as error:
        of_node(text)

    assert str(error.value) == why


@pytest.mark.parametrize(
    ("value", "text", "why"),
    [
        (5, "x < 'a'", "cannot order int and string"),
        (None, "x >= 1", "cannot order null and int"),
        ([1], "x < x", "cannot order list and list"),
        (True, "x < 2.0", "cannot order bool and double"),
        (5, "x.a == 1", "x is int, no map"),
        ("a", "has(x.a)", "x is string, no map"),
        ({"a": {}}, "x.a.b == 1", 'x.a has no key "b"'),
        ({}, "x[0] == 1", "x is map, no list"),
    ],
)
def test_a_dynamic_value_of_the_wrong_type_says_so(value: object, text: str, why: str) -> None:
    program = cel.compile(text, {"x": cel.DYN})

    with pytest.raises(cel.EvaluationError) as error:
        program({"x": value})

    assert str(error.value) == why


@pytest.mark.parametrize(
    ("left", "right", "holds"),
    [
        (1, 1.0, True),
        (2**53 + 1, 2.0**53, True),
        (2.0**53, 2**53 + 1, True),
        (1, True, False),
        (True, True, True),
        (0, None, False),
        ("a", "a", True),
        ("1", 1, False),
        ([1, 2], (1.0, 2), True),
        ([math.nan], [math.nan], False),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": None}, {}, False),
        ({}, [], False),
        (None, None, True),
    ],
)
def test_dynamic_values_are_equal_by_what_they_are(
    left: object, right: object, *, holds: bool
) -> None:
    env: Mapping[str, cel.Type] = {"x": cel.DYN, "y": cel.DYN, "one": cel.List(cel.DYN)}
    values = {"x": left, "y": right, "one": [right]}

    assert cel.compile("x == y", env)(values) is holds
    assert cel.compile("x != y", env)(values) is not holds
    assert cel.compile("x in one", env)(values) is holds


@pytest.mark.parametrize(
    ("left", "right"), [(1, 1.5), (0.5, 1), (2, 3), ("a", "b"), (False, True), (-math.inf, 0)]
)
def test_dynamic_values_of_one_kind_have_an_order(left: object, right: object) -> None:
    env: Mapping[str, cel.Type] = {"x": cel.DYN, "y": cel.DYN}

    assert cel.compile("x < y && x <= y && y > x && y >= x", env)({"x": left, "y": right})


def test_a_variable_without_a_value_fails_only_where_it_matters() -> None:
    program = cel.compile("code == 1 || value > 0.5", RULE)

    assert program({"code": 1})
    with pytest.raises(cel.EvaluationError, match="value has no value"):
        program({"code": 2})


@pytest.mark.parametrize("broken", ["code / 0 == 1", 'node.labels.zone == "a"'])
def test_an_error_on_either_side_does_not_matter_if_the_other_side_decides(broken: str) -> None:
    assert of_node(f"{broken} || true")
    assert of_node(f"true || {broken}")
    assert not of_node(f"{broken} && false")
    assert not of_node(f"false && {broken}")


@pytest.mark.parametrize("text", ["code / 0 == 1 || false", "true && code / 0 == 1"])
def test_an_error_comes_out_if_the_other_side_does_not_decide(text: str) -> None:
    with pytest.raises(cel.EvaluationError, match="division by zero"):
        of_node(text)


def test_an_error_for_one_item_does_not_matter_if_another_item_decides() -> None:
    assert of_node("[0, 79].exists(x, code / x == 1)")
    assert not of_node("[0, 79].all(x, code / x == 2)")
    with pytest.raises(cel.EvaluationError, match="division by zero"):
        of_node("[0, 79].exists(x, code / x == 2)")


def test_a_quantifier_leaves_the_values_as_they_were() -> None:
    values = {"code": 79}

    assert cel.compile("[1, 2].all(code, code < 3) && code == 79", {"code": cel.INT})(values)
    assert values == {"code": 79}


def test_a_double_may_be_given_as_a_python_int() -> None:
    program = cel.compile("x / 2.0 == 1.5 && x + x == 6.0 && -x < 0.0", {"x": cel.DOUBLE})

    assert program({"x": 3})


def test_values_that_nest_too_deeply_to_compare_are_an_evaluation_error() -> None:
    deep: object = []
    for _ in range(20_000):
        deep = [deep]

    with pytest.raises(cel.EvaluationError, match="nest too deeply"):
        cel.compile("x == y", {"x": cel.DYN, "y": cel.DYN})({"x": deep, "y": [deep]})


def test_an_expression_may_be_of_another_type_than_bool() -> None:
    program = cel.compile("'epoch fell to ' + name", {"name": cel.STRING}, expect=cel.STRING)

    assert program.value({"name": "x"}) == "epoch fell to x"


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=400))
def test_any_number_of_terms_may_be_joined(terms: list[bool]) -> None:
    words = ["t" if term else "f" for term in terms]
    env, values = {"t": cel.BOOL, "f": cel.BOOL}, {"t": True, "f": False}

    assert cel.compile("&&".join(words), env)(values) is all(terms)
    assert cel.compile("||".join(words), env)(values) is any(terms)
