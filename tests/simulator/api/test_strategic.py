"""Strategic merge patches, as kubectl sends them."""

import pytest

from simulator.api import strategic
from simulator.api.wire import JsonObject


@pytest.mark.parametrize(
    ("value", "patch", "merged"),
    [
        ({"a": 1, "b": {"c": 1}}, {"b": {"c": None, "d": 2}}, {"a": 1, "b": {"d": 2}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}, "c": 1}, {"a": {"$patch": "delete"}}, {"c": 1}),
        ({"a": 1, "b": 2}, {"$retainKeys": ["a"], "a": 3}, {"a": 3}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {}}, {"a": {"b": {"c": None, "d": 1}}}, {"a": {"b": {"d": 1}}}),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["a", "b"]}),
        (
            {"finalizers": ["a", "b"]},
            {"$deleteFromPrimitiveList/finalizers": ["a"]},
            {"finalizers": ["b"]},
        ),
    ],
)
def test_objects_and_plain_lists(value: JsonObject, patch: JsonObject, merged: JsonObject) -> None:
    assert strategic.merge(value, patch) == merged


CONDITIONS: JsonObject = {
    "conditions": [
        {"type": "Ready", "status": "True"},
        {"type": "Disk", "status": "False", "reason": "Fine"},
    ]
}


def test_a_condition_is_merged_with_the_one_of_its_type() -> None:
    patch: JsonObject = {
        "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "Disk"}],
        "conditions": [{"type": "Disk", "status": "True"}],
    }

    merged = strategic.merge(CONDITIONS, patch)

    assert merged["conditions"] == [
        {"type": "Ready", "status": "True"},
        {"type": "Disk", "status": "True", "reason": "Fine"},
    ]


def test_an_item_is_deleted_by_its_name() -> None:
    patch: JsonObject = {"conditions": [{"type": "Ready", "$patch": "delete"}]}

    assert [one["type"] for one in strategic.merge(CONDITIONS, patch)["conditions"]] == ["Disk"]


def test_a_merged_list_can_be_replaced() -> None:
    patch: JsonObject = {"conditions": [{"$patch": "replace"}, {"type": "New", "status": "True"}]}

    assert strategic.merge(CONDITIONS, patch)["conditions"] == [{"type": "New", "status": "True"}]


def test_the_order_of_a_list_can_be_set() -> None:
    order: JsonObject = {"$setElementOrder/conditions": [{"type": "Disk"}, {"type": "Ready"}]}

    merged = strategic.merge(CONDITIONS, order)

    assert [one["type"] for one in merged["conditions"]] == ["Disk", "Ready"]


def test_ports_of_containers_are_told_apart_by_their_number() -> None:
    value: JsonObject = {"ports": [{"containerPort": 80, "name": "web"}]}

    merged = strategic.merge(value, {"ports": [{"containerPort": 80, "protocol": "TCP"}]})

    assert merged["ports"] == [{"containerPort": 80, "name": "web", "protocol": "TCP"}]


def test_an_item_without_its_name_is_refused() -> None:
    with pytest.raises(strategic.StrategicError, match="merge key: type"):
        strategic.merge(CONDITIONS, {"conditions": [{"status": "True"}]})


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(strategic.StrategicError, match="unrecognized directive: bend"):
        strategic.merge({}, {"$patch": "bend"})
