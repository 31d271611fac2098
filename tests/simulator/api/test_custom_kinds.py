"""Kinds that clients bring along: definitions, schemas, rules in CEL, columns."""

import pytest

from simulator.api.direct import Direct
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
THINGS = "things.example.com"

SPEC: JsonObject = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "mode": {"type": "string", "enum": ["On", "Off"], "default": "On"},
        "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "minItems": 1},
        "limit": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "counts": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "maxProperties": 1,
        },
        "empty": {"type": "string", "nullable": True},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "turn": {"type": "integer"}},
                "x-kubernetes-validations": [
                    {"rule": "self.turn >= oldSelf.turn", "message": "parts never turn back"}
                ],
            },
        },
    },
}
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "spec": SPEC,
        "status": {
            "type": "object",
            "properties": {"epoch": {"type": "integer"}},
            "x-kubernetes-validations": [
                {
                    "rule": "!has(oldSelf.epoch) || self.epoch >= oldSelf.epoch",
                    "message": "the epoch never falls",
                }
            ],
        },
    },
}
DEFINITION: JsonObject = {
    "metadata": {"name": THINGS},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "shortNames": ["th"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                    {"name": "Epoch", "type": "integer", "jsonPath": ".status.epoch"},
                ],
            }
        ],
    },
}


@pytest.fixture
def things(direct: Direct) -> Direct:
    """A way to a server that serves things."""
    direct.create(DEFINITIONS, DEFINITION)
    return direct


def thing(direct: Direct, **spec: object) -> JsonObject:
    """Make a thing."""
    body: JsonObject = {"metadata": {"name": "t"}, "spec": {"size": 1, **spec}}
    return direct.create(THINGS, body, namespace="default")


def test_a_defined_kind_is_served_at_once(direct: Direct) -> None:
    made = direct.create(DEFINITIONS, DEFINITION)

    told = {one["type"]: one["status"] for one in made["status"]["conditions"]}
    assert told == {"NamesAccepted": "True", "Established": "True"}
    assert thing(direct)["kind"] == "Thing"


def test_unknown_fields_are_pruned_and_defaults_put_in(things: Direct) -> None:
    made = thing(things, bogus=1, free={"any": {"thing": 1}})

    assert made["spec"] == {"size": 1, "mode": "On", "free": {"any": {"thing": 1}}}


def test_who_owns_what_survives_pruning(things: Direct) -> None:
    thing(things)
    changed = things.merge(THINGS, "t", {"spec": {"size": 2}}, namespace="default")

    (entry,) = changed["metadata"]["managedFields"]

    assert (entry["manager"], entry["operation"]) == ("tester", "Update")
    assert entry["fieldsV1"] == {"f:spec": {"f:size": {}, "f:mode": {}}}


def test_a_strict_client_is_told_of_unknown_fields(things: Direct) -> None:
    body: JsonObject = {"metadata": {"name": "t"}, "spec": {"size": 1, "bogus": 1}}
    path = things.path(THINGS, "default")

    with pytest.raises(StatusError, match=r'unknown field "spec.bogus"') as refused:
        things.ask("POST", path, body, query={"fieldValidation": "Strict"})

    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("spec", "field", "reason", "said"),
    [
        ({"size": None}, "spec.size", "FieldValueInvalid", 'must be of type integer: "null"'),
        ({"size": "1"}, "spec.size", "FieldValueInvalid", 'must be of type integer: "string"'),
        ({"size": 0}, "spec.size", "FieldValueInvalid", "should be greater than or equal to 1"),
        ({"size": 11}, "spec.size", "FieldValueInvalid", "should be less than or equal to 10"),
        ({"mode": "Up"}, "spec.mode", "FieldValueNotSupported", '"On", "Off"'),
        ({"name": "a"}, "spec.name", "FieldValueInvalid", "at least 2 chars long"),
        ({"name": "abcde"}, "spec.name", "FieldValueTooLong", "more than 4 bytes"),
        ({"name": "A9"}, "spec.name", "FieldValueInvalid", "should match '^[a-z]+$'"),
        ({"at": "noon"}, "spec.at", "FieldValueInvalid", "must be of type date-time"),
        ({"tags": []}, "spec.tags", "FieldValueInvalid", "at least 1 items"),
        ({"tags": ["a", "b", "c"]}, "spec.tags", "FieldValueTooMany", "at most 2 items"),
        ({"tags": [1]}, "spec.tags[0]", "FieldValueInvalid", "must be of type string"),
        ({"limit": True}, "spec.limit", "FieldValueInvalid", "must be of type integer or string"),
        ({"counts": {"a": "x"}}, "spec.counts.a", "FieldValueInvalid", "must be of type integer"),
        ({"counts": {"a": 1, "b": 2}}, "spec.counts", "FieldValueTooMany", "at most 1 items"),
        (
            {"parts": [{"name": "a"}, {"name": "a"}]},
            "spec.parts[1]",
            "FieldValueDuplicate",
            '{"name":"a"}',
        ),
    ],
)
def test_what_breaks_the_schema_is_422_with_its_cause(
    things: Direct, spec: JsonObject, field: str, reason: str, said: str
) -> None:
    with pytest.raises(StatusError) as refused:
        thing(things, **spec)

    assert refused.value.code == 422
    causes = (refused.value.details or {})["causes"]
    assert [(one["field"], one["reason"]) for one in causes] == [(field, reason)]
    assert said in causes[0]["message"]


def test_what_is_missing_is_422(things: Direct) -> None:
    with pytest.raises(StatusError, match=r"spec.size: Required value"):
        things.create(THINGS, {"metadata": {"name": "t"}, "spec": {}}, namespace="default")


def test_nullable_values_may_be_null(things: Direct) -> None:
    assert thing(things, empty=None)["spec"]["empty"] is None


def test_a_rule_may_compare_with_what_was(things: Direct) -> None:
    thing(things)
    for epoch in (2, 3):
        status = {"status": {"epoch": epoch}}
        things.merge(THINGS, "t", status, namespace="default", subresource="status")

    status = {"status": {"epoch": 1}}
    with pytest.raises(StatusError, match="the epoch never falls") as refused:
        things.merge(THINGS, "t", status, namespace="default", subresource="status")

    assert (refused.value.details or {})["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "object": the epoch never falls',
            "field": "status",
        }
    ]


def test_items_of_a_keyed_list_are_compared_with_their_own_past(things: Direct) -> None:
    thing(things, parts=[{"name": "a", "turn": 5}, {"name": "b", "turn": 1}])
    parts = [{"name": "b", "turn": 1}, {"name": "a", "turn": 4}]

    with pytest.raises(StatusError, match=r"spec.parts\[1\].*parts never turn back"):
        things.merge(THINGS, "t", {"spec": {"parts": parts}}, namespace="default")


def test_generation_counts_changes_outside_metadata_and_status(things: Direct) -> None:
    made = thing(things)
    labels = {"metadata": {"labels": {"a": "b"}}}
    things.merge(THINGS, "t", labels, namespace="default")
    status = {"status": {"epoch": 1}}
    after = things.merge(THINGS, "t", status, namespace="default", subresource="status")
    assert (made["metadata"]["generation"], after["metadata"]["generation"]) == (1, 1)

    changed = things.merge(THINGS, "t", {"spec": {"size": 2}}, namespace="default")
    assert changed["metadata"]["generation"] == 2


def test_a_status_write_of_a_custom_kind_leaves_labels_alone(things: Direct) -> None:
    thing(things)
    patch: JsonObject = {"metadata": {"labels": {"a": "b"}}, "status": {"epoch": 1}}

    after = things.merge(THINGS, "t", patch, namespace="default", subresource="status")

    assert "labels" not in after["metadata"]


def test_custom_kinds_take_no_strategic_patches(things: Direct) -> None:
    thing(things)

    with pytest.raises(StatusError) as refused:
        things.strategic(THINGS, "t", {"spec": {"size": 2}}, namespace="default")

    assert refused.value.code == 415


def test_a_put_without_a_version_is_refused(things: Direct) -> None:
    made = thing(things)
    del made["metadata"]["resourceVersion"]

    with pytest.raises(StatusError, match="must be specified for an update") as refused:
        things.replace(THINGS, made)

    assert refused.value.code == 422


def test_a_rule_that_does_not_fit_its_schema_is_refused(direct: Direct) -> None:
    bad = {"type": "object", "x-kubernetes-validations": [{"rule": "self.sizes > 1"}]}
    version = {**DEFINITION["spec"]["versions"][0], "schema": {"openAPIV3Schema": bad}}
    spec = {**DEFINITION["spec"], "versions": [version]}

    with pytest.raises(StatusError, match="sizes") as refused:
        direct.create(DEFINITIONS, {"metadata": {"name": THINGS}, "spec": spec})

    assert refused.value.code == 422


def test_a_withdrawn_kind_takes_its_objects_along(things: Direct) -> None:
    path = things.path(THINGS, "default")
    thing(things)
    things.delete(DEFINITIONS, THINGS)

    with pytest.raises(StatusError) as refused:
        things.ask("GET", path)

    assert refused.value.code == 404
    things.create(DEFINITIONS, DEFINITION)
    assert things.listed(THINGS) == []


def test_columns_come_from_the_definition(things: Direct) -> None:
    thing(things)
    status: JsonObject = {"status": {"epoch": 7}}
    things.merge(THINGS, "t", status, namespace="default", subresource="status")

    table = things.table(THINGS, namespace="default")

    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Size", "Ready", "Epoch"]
    assert table["rows"][0]["cells"] == ["t", 1, None, 7]
