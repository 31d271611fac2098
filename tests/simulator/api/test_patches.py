"""JSON patches and merge patches."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.api import patches
from simulator.api.wire import JsonObject

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab/~", max_size=3), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("operations", "patched"),
    [
        ([{"op": "add", "path": "/c", "value": 1}], {"a": {"b": [1, 2]}, "c": 1}),
        ([{"op": "add", "path": "/a/b/1", "value": 9}], {"a": {"b": [1, 9, 2]}}),
        ([{"op": "add", "path": "/a/b/-", "value": 9}], {"a": {"b": [1, 2, 9]}}),
        ([{"op": "remove", "path": "/a/b/0"}], {"a": {"b": [2]}}),
        ([{"op": "replace", "path": "/a/b", "value": {}}], {"a": {"b": {}}}),
        ([{"op": "move", "from": "/a/b", "path": "/x~1y"}], {"a": {}, "x/y": [1, 2]}),
        ([{"op": "copy", "from": "/a/b/0", "path": "/z~0"}], {"a": {"b": [1, 2]}, "z~": 1}),
        ([{"op": "test", "path": "/a/b", "value": [1, 2]}], {"a": {"b": [1, 2]}}),
        ([{"op": "test", "path": "/nothing", "value": None}], {"a": {"b": [1, 2]}}),
        ([{"op": "replace", "path": "", "value": {"n": 1}}], {"n": 1}),
    ],
)
def test_operations(operations: list[JsonObject], patched: JsonObject) -> None:
    assert patches.apply({"a": {"b": [1, 2]}}, operations) == patched


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a/b/0", "value": 2},
        {"op": "test", "path": "/a/b/0", "value": True},
        {"op": "test", "path": "/nothing", "value": 1},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/nothing/below", "value": 1},
        {"op": "add", "path": "/a/b/5", "value": 1},
        {"op": "add", "path": "/a/b/01", "value": 1},
        {"op": "add", "path": "no-slash", "value": 1},
        {"op": "add", "path": "/c"},
        {"op": "bend", "path": "/a"},
    ],
)
def test_what_cannot_be_applied_is_refused(operation: JsonObject) -> None:
    with pytest.raises(patches.PatchError):
        patches.apply({"a": {"b": [1, 2]}}, [operation])


@given(value=OBJECTS, key=st.text("ab/~", max_size=3), added=VALUES)
def test_what_is_added_is_found_by_a_test_and_the_old_value_stays(
    value: JsonObject, key: str, added: object
) -> None:
    before = copy.deepcopy(value)
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    add: JsonObject = {"op": "add", "path": path, "value": added}

    patched = patches.apply(value, [add, {**add, "op": "test"}])

    assert patched == {**before, key: added}
    assert value == before


@given(value=OBJECTS, patch=OBJECTS)
def test_merging_twice_is_merging_once(value: JsonObject, patch: JsonObject) -> None:
    once = patches.merge(value, patch)

    assert patches.merge(once, patch) == once
