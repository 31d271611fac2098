"""Our kinds are served from their manifests, and the server holds everyone to the schema."""

from datetime import UTC, datetime
from typing import Final

import pytest

from nodehealth import crds
from nodehealth.health import (
    NODE_HEALTHS,
    Event,
    Fields,
    Level,
    NodeHealthStatus,
    ProbeReport,
    ProbeState,
)
from nodehealth.history import History
from nodehealth.kube import errors
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS
from tests.contract.cluster import Cluster, manifest_of
from tests.contract.kinds import DEFINITIONS, Json

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
SINCE: Final = "2026-01-01T12:00:00Z"
TARGET: Final = {"node": "n", "nodeUID": "u"}
LEVEL: Final = {"name": "disk.free_ratio", "since": SINCE}
EVENT: Final = {"name": "gpu.xid", "bootID": "b"}
HISTORY: Final = History(
    last=(NOON,) * 16, until=NOON, five_minutes=(2**31,) * 12, hours=(2**31,) * 24
)


async def report(cluster: Cluster, status: Json) -> NodeHealthStatus:
    """Write a status and return what became of it."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    changed = await cluster.client.merge_patch(
        healths, made.metadata.name, {"status": status}, subresource="status"
    )
    return changed.status


@pytest.mark.parametrize("definition", crds.DEFINITIONS, ids=lambda each: each.resource.kind)
async def test_the_manifests_are_taken_as_they_are(
    cluster: Cluster, definition: crds.Definition
) -> None:
    """CustomResourceDefinitions: structural schemas, and rules within their cost."""
    manifest = manifest_of(definition.resource)
    manifest["metadata"]["name"] += f".{cluster.prefix}"  # the group is ours and may be in use
    manifest["spec"]["group"] += f".{cluster.prefix}"

    answer = await cluster.ask("POST", DEFINITIONS.path(), manifest, query={"dryRun": "All"})

    assert (answer.code, answer.body.get("message")) == (201, None)


@pytest.mark.parametrize("definition", crds.DEFINITIONS, ids=lambda each: each.resource.kind)
async def test_a_kind_is_served_and_says_so(cluster: Cluster, definition: crds.Definition) -> None:
    """CustomResourceDefinitions, "Create a CustomResourceDefinition": Established."""
    kind = await cluster.custom(definition.resource)

    found = await cluster.client.listing(kind)
    seen = await cluster.client.get(DEFINITIONS, f"{kind.plural}.{kind.group}")

    assert found.items == ()
    states = {each.type: each.status for each in seen.status.conditions}
    assert (states["NamesAccepted"], states["Established"]) == ("True", "True")


@pytest.mark.parametrize("definition", crds.DEFINITIONS, ids=lambda each: each.resource.kind)
async def test_a_table_has_the_columns_of_the_kind(
    cluster: Cluster, definition: crds.Definition
) -> None:
    """CustomResourceDefinitions, "Additional printer columns"; API concepts, "Table"."""
    kind = await cluster.custom(definition.resource)
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"

    answer = await cluster.ask("GET", kind.path(), headers={"accept": table})

    columns = [(each["name"], each["priority"]) for each in answer.body["columnDefinitions"]]
    wanted = [(each.name, int(each.wide)) for each in definition.columns]
    assert columns == [("Name", 0), *wanted]


async def test_a_row_shows_what_its_columns_point_to(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Additional printer columns": JSONPath with filters too."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    probes = [
        {"name": "kernel", "state": "OK", "since": SINCE},
        {"name": "gpus", "state": "Overdue", "since": SINCE},
    ]
    await cluster.client.merge_patch(
        healths,
        made.metadata.name,
        {"status": {"bootID": "b1", "probes": probes}},
        subresource="status",
    )
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"

    answer = await cluster.ask("GET", healths.path(), headers={"accept": table})

    names = [each["name"] for each in answer.body["columnDefinitions"]]
    (row,) = answer.body["rows"]
    cells = dict(zip(names, row["cells"], strict=True))
    assert (cells["Name"], cells["Boot"]) == (made.metadata.name, "b1")
    assert (cells["Not OK"], cells["Reported"]) == ("gpus", None)


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ({"levels": [{"name": "a"}]}, "status.levels[0].since"),
        ({"levels": [{**LEVEL, "knowledge": "perhaps"}]}, "status.levels[0].knowledge"),
        ({"levels": [{**LEVEL, "since": "yesterday"}]}, "status.levels[0].since"),
        ({"levels": [{**LEVEL, "value": "much"}]}, "status.levels[0].value"),
        ({"levels": [{**LEVEL, "name": "a" * 64}]}, "status.levels[0].name"),
        ({"levels": [{**LEVEL, "fields": {"code": True}}]}, "status.levels[0].fields.code"),
        ({"levels": [LEVEL] * 257}, "status.levels"),
        ({"events": [{**EVENT, "count": 0}]}, "status.events[0].count"),
        ({"events": [{**EVENT, "count": 1.5}]}, "status.events[0].count"),
        ({"refreshSeconds": 0}, "status.refreshSeconds"),
        ({"refreshSeconds": 86401}, "status.refreshSeconds"),
        ({"levels": {}}, "status.levels"),
    ],
)
async def test_what_breaks_the_schema_is_refused_by_its_field(
    cluster: Cluster, status: Json, field: str
) -> None:
    """CustomResourceDefinitions, "Validation": 422 with a cause for each field."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    path = healths.path("", made.metadata.name, "status")
    merge = {"content-type": "application/merge-patch+json"}

    answer = await cluster.ask("PATCH", path, {"status": status}, headers=merge)

    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["kind"] == "NodeHealth"
    assert field in {cause["field"] for cause in answer.body["details"]["causes"]}
    assert (await cluster.client.get(healths, made.metadata.name)) == made


async def test_a_repair_without_a_plan_is_refused(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Validation": required."""
    repairs = await cluster.custom(NODE_REPAIRS)

    with pytest.raises(errors.InvalidError, match="spec"):
        await cluster.create(repairs, cluster.named("r"))


async def test_what_the_schema_does_not_know_is_dropped(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Field pruning"."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    path = healths.path("", made.metadata.name, "status")
    merge = {"content-type": "application/merge-patch+json"}
    status = {"bootID": "b1", "verdict": "sick", "levels": [{**LEVEL, "colour": "red"}]}

    answer = await cluster.ask("PATCH", path, {"status": status}, headers=merge)

    assert answer.code == 200
    assert answer.body["status"] == {"bootID": "b1", "levels": [LEVEL]}


async def test_what_is_left_out_is_filled_in(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Defaulting": a phase is shown though nobody writes the first."""
    repairs = await cluster.custom(NODE_REPAIRS)
    spec: Json = {"target": TARGET, "rule": "scratch-full", "ladder": [{"action": "drain"}]}
    made = await cluster.create(repairs, cluster.named("r"), {"spec": spec})
    path = repairs.path("", made.metadata.name, "status")
    merge = {"content-type": "application/merge-patch+json"}

    answer = await cluster.ask("PATCH", path, {"status": {"message": "held"}}, headers=merge)

    assert answer.body["status"] == {"phase": "Confirmed", "message": "held"}


async def test_a_field_is_a_number_or_a_text(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Intstr": x-kubernetes-int-or-string."""
    fields = {"code": 79, "uuid": "GPU-1"}

    seen = await report(cluster, {"events": [{**EVENT, "fields": fields}]})

    assert seen.events[0].fields == fields


@pytest.mark.parametrize(
    "time", [SINCE, "2026-01-01T12:00:00.123456Z", "2026-01-01T14:00:00+02:00"]
)
async def test_a_time_is_kept_as_it_was_written(cluster: Cluster, time: str) -> None:
    """CustomResourceDefinitions, "Validation": format date-time."""
    seen = await report(cluster, {"reportedAt": time})

    assert seen.reported_at == datetime.fromisoformat(time)


async def test_null_is_taken_where_it_is_allowed(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Defaulting and Nullable"."""
    seen = await report(cluster, {"levels": [{**LEVEL, "value": None}]})

    assert seen.levels[0].value is None


async def test_the_largest_report_stays_readable(cluster: Cluster) -> None:
    """CustomResourceDefinitions: every bound of the schema reached, within etcd's 1.5 MiB."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    fields: Fields = {"code": 2**31 - 1, "uuid": "x" * 40}
    level = Level(
        name="n" * 63, since=NOON, subject="s" * 253, value=-0.1, fields=fields, flips=HISTORY
    )
    event = Event(
        name="n" * 63, boot_id="b" * 63, subject="s" * 253, fields=fields, history=HISTORY
    )
    probe = ProbeReport(name="p" * 63, state=ProbeState.FAILED, since=NOON, message="m" * 256)
    status = NodeHealthStatus(
        node_uid="u" * 63,
        boot_id="b" * 63,
        agent_version="v" * 63,
        driver_version="d" * 63,
        reported_at=NOON,
        refresh_seconds=86400,
        levels=(level,) * 256,
        events=(event,) * 128,
        probes=(probe,) * 64,
    )

    await cluster.client.merge_patch(
        healths, made.metadata.name, {"status": status}, subresource="status"
    )

    assert (await cluster.client.get(healths, made.metadata.name)).status == status
    assert (await cluster.client.listing(healths)).items[0].status == status


async def test_the_plan_of_a_repair_is_frozen(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Transition rules"."""
    repairs = await cluster.custom(NODE_REPAIRS)
    spec: Json = {"target": TARGET, "rule": "scratch-full", "ladder": [{"action": "drain"}]}
    made = await cluster.create(repairs, cluster.named("r"), {"spec": spec})

    with pytest.raises(errors.InvalidError, match="the plan of a repair is frozen"):
        await cluster.client.merge_patch(
            repairs, made.metadata.name, {"spec": {"ladder": [{"action": "replace"}]}}
        )
    moved = await cluster.client.merge_patch(
        repairs, made.metadata.name, {"status": {"phase": "Draining"}}, subresource="status"
    )
    wishes = {"approved": {"by": "ann"}, "request": {"what": "retry"}}
    wished = await cluster.client.merge_patch(repairs, made.metadata.name, {"spec": wishes})

    assert (moved.spec, moved.status.phase) == (made.spec, "Draining")
    assert wished.spec.approved is not None
    assert wished.spec.request is not None


async def test_a_replace_that_knows_half_of_the_managed_fields_loses_none(
    cluster: Cluster,
) -> None:
    """Fieldmanager decodeLiveOrNew: what cannot be read is taken from what is stored."""
    ledgers = await cluster.custom(REPAIR_LEDGERS)
    made = await cluster.create(ledgers, "default")
    changed = await cluster.client.merge_patch(
        ledgers, "default", {"status": {"epoch": 1}}, subresource="status"
    )

    await cluster.client.replace(ledgers, changed, name="default", subresource="status")

    found = (await cluster.ask("GET", ledgers.path("", made.metadata.name))).body["metadata"]
    doors = {entry.get("subresource", ""): entry for entry in found["managedFields"]}
    assert doors.keys() == {"", "status"}
    assert all(entry["fieldsType"] == "FieldsV1" for entry in doors.values())
    assert all(entry["fieldsV1"] for entry in doors.values())
