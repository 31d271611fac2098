"""What a person sees and does of nodemend's own objects."""

import json
from collections.abc import Mapping

from simulator.api.wire import JsonObject
from tests.kubectl.station import CRDS, Kubectl, Station

HEALTHS, REPAIRS, LEDGERS = (
    f"{plural}.nodemend.dev" for plural in ("nodehealths", "noderepairs", "repairledgers")
)
REPAIR: JsonObject = {
    "apiVersion": "nodemend.dev/v1alpha1",
    "kind": "NodeRepair",
    "metadata": {"name": "n1-1"},
    "spec": {"target": {"node": "n1", "nodeUID": "u"}, "rule": "scratch-full", "mode": "enforce"},
}


async def apply(kubectl: Kubectl, value: JsonObject) -> str:
    """Apply an object."""
    return (await kubectl("apply", "-f", "-", typed=json.dumps(value))).out


async def install(kubectl: Kubectl) -> str:
    """Install our kinds."""
    said = await kubectl("apply", "-f", str(CRDS))
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
    return said.out


def fill(station: Station) -> None:
    """Have one object of each kind."""
    since = "2026-01-01T12:00:00Z"
    probes = [{"name": "gpus", "state": "Overdue", "since": since}]
    for resource, name, status in (
        (HEALTHS, "n1", {"bootID": "b1", "agentVersion": "0.1.0", "probes": probes}),
        (LEDGERS, "default", {"epoch": 7}),
        (REPAIRS, "n1-1", {"phase": "Waiting", "reason": "Budget", "message": "for a slot"}),
    ):
        spec = {REPAIRS: REPAIR["spec"], LEDGERS: {"disruption": "Open"}}.get(resource)
        body: JsonObject = {"metadata": {"name": name}}
        station.direct.create(resource, body if spec is None else {**body, "spec": spec})
        station.direct.merge(resource, name, {"status": status}, subresource="status")


async def test_our_kinds_are_applied_and_applied_again(kubectl: Kubectl, station: Station) -> None:
    created = await install(kubectl)
    again = await install(kubectl)

    assert created.count(" created\n") == again.count(" unchanged\n") == 3
    assert len(station.direct.listed("customresourcedefinitions.apiextensions.k8s.io")) == 3


async def test_reports_are_listed(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    (row,) = (await kubectl("get", "nodehealth")).rows
    (wide,) = (await kubectl("get", "nh", "-o", "wide")).rows

    assert list(row) == ["NAME", "REPORTED", "BOOT", "NOT OK", "AGE"]
    assert (row["NAME"], row["BOOT"], row["NOT OK"]) == ("n1", "b1", "gpus")
    assert wide["AGENT"] == "0.1.0"


async def test_repairs_are_listed(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    (row,) = (await kubectl("get", "noderepairs")).rows
    (wide,) = (await kubectl("get", "nr", "-o", "wide")).rows

    assert list(row) == ["NAME", "NODE", "RULE", "MODE", "PHASE", "REASON", "AGE"]
    assert (row["NODE"], row["RULE"], row["MODE"]) == ("n1", "scratch-full", "enforce")
    assert (row["PHASE"], row["REASON"], wide["MESSAGE"]) == ("Waiting", "Budget", "for a slot")


async def test_the_ledger_is_listed(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    (row,) = (await kubectl("get", "repairledgers")).rows
    (short,) = (await kubectl("get", "rl")).rows

    assert list(row) == ["NAME", "EPOCH", "DISRUPTION", "AGE"]
    assert (row["NAME"], row["EPOCH"], row["DISRUPTION"]) == ("default", "7", "Open")
    assert short["EPOCH"] == "7"


async def test_all_of_ours_are_listed_together(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    named = await kubectl("get", "nodehealth,noderepairs,repairledgers", "-o", "name")
    category = await kubectl("get", "nodemend", "-o", "name")

    expected = {"nodehealth.nodemend.dev/n1", "noderepair.nodemend.dev/n1-1"}
    assert set(named.out.split()) == {*expected, "repairledger.nodemend.dev/default"}
    assert set(category.out.split()) == set(named.out.split())


async def test_a_repair_is_applied_and_described(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)

    created = await apply(kubectl, REPAIR)
    again = await apply(kubectl, REPAIR)
    labelled = {**REPAIR, "metadata": {"name": "n1-1", "labels": {"by": "hand"}}}
    changed = await apply(kubectl, labelled)
    described = (await kubectl("describe", "noderepair", "n1-1")).out

    said = [text.split()[-1] for text in (created, again, changed)]
    assert said == ["created", "unchanged", "configured"]
    assert station.read(REPAIRS, "n1-1")["metadata"]["labels"] == {"by": "hand"}
    assert "Rule:" in described
    assert "scratch-full" in described


async def test_a_frozen_plan_is_not_changed_by_hand(kubectl: Kubectl) -> None:
    await install(kubectl)
    await apply(kubectl, REPAIR)
    other = {**REPAIR, "spec": {**REPAIR["spec"], "rule": "another"}}

    said = await kubectl("apply", "-f", "-", typed=json.dumps(other), code=1)

    assert "the plan of a repair is frozen" in said.err


async def test_nonsense_is_refused_by_its_field(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    ajar = '{"spec":{"disruption":"Ajar"}}'
    said = await kubectl("patch", LEDGERS, "default", "--type=merge", "-p", ajar, code=1)

    assert 'spec.disruption: Unsupported value: "Ajar"' in said.err
    assert station.read(LEDGERS, "default")["spec"]["disruption"] == "Open"


async def test_our_kinds_go_with_all_they_hold(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)

    await kubectl("delete", "-f", str(CRDS))
    said = await kubectl("get", "nodehealth", code=1)

    assert "the server doesn't have a resource type" in said.err
    assert station.direct.listed("customresourcedefinitions.apiextensions.k8s.io") == []


async def test_what_people_say_is_a_patch(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)
    pause = {"reason": "cables", "by": "ann", "at": "2026-01-31T20:00:00Z"}
    request = {"what": "release", "by": "ann", "at": "2026-01-31T20:00:00Z"}
    wished = {"approved": {"by": "ann"}, "request": request}

    await patch(kubectl, "repairledger", "default", {"pauses": {"net": pause}})
    await patch(kubectl, "noderepair", "n1-1", wished)
    held = station.read(LEDGERS, "default")["spec"]["pauses"]
    await patch(kubectl, "repairledger", "default", {"pauses": {"net": None}})

    assert held == {"net": pause}
    assert station.read(LEDGERS, "default")["spec"].get("pauses", {}) == {}
    spec = station.read(REPAIRS, "n1-1")["spec"]
    assert {key: spec[key] for key in wished} == wished


async def test_a_time_without_its_zone_is_refused(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl)
    fill(station)
    pause = {"reason": "cables", "until": "2026-01-31T20:00:00"}
    body = json.dumps({"spec": {"pauses": {"net": pause}}})

    said = await kubectl("patch", "repairledger", "default", "--type=merge", "-p", body, code=1)

    assert "until" in said.err


async def patch(kubectl: Kubectl, kind: str, name: str, spec: Mapping[str, object]) -> None:
    await kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))
