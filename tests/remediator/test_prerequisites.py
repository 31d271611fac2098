"""Nothing is done to a node in a cluster that lacks what makes it safe."""

from dataclasses import dataclass
from typing import Any

import pytest

from nodehealth import crds, protections
from nodehealth.crds import DEFINITIONS
from nodehealth.kube.client import Client
from nodehealth.protections import PROTECTIONS
from nodehealth.repair import Mode
from remediator.prerequisites import CUSTOM_KINDS, Prerequisites
from simulator import virtualtime
from simulator.api import answers, policies
from simulator.api.answers import Outcome
from simulator.api.direct import Direct
from simulator.api.faults import Fault, Match, Refuse, Respond, Unreachable
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer

CRDS = f"{CUSTOM_KINDS.plural}.{CUSTOM_KINDS.group}"
HEALTH, LEDGER, _, PODS, _ = (each.name for each in PROTECTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster that has everything, until a test takes something away."""

    api: ApiServer
    direct: Direct
    told: list[Mode]
    prerequisites: Prerequisites

    async def look(self) -> list[str]:
        """Look, and return what is missing."""
        await self.prerequisites.look()
        return list(self.prerequisites.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old(Fault):
    """Says that the server is of another version."""

    minor: str

    async def answer(self, respond: Respond) -> Outcome:
        """Answer with the version."""
        return answers.of({"major": "1", "minor": self.minor})


def place() -> Place:
    """Make a cluster that has everything."""
    api = ApiServer(clock=virtualtime.clock())
    direct = Direct(api)
    for definition in DEFINITIONS:
        direct.create(CRDS, crds.manifest(definition))
    for protection in PROTECTIONS:
        direct.create(policies.RESOURCE, protections.policy(protection))
        direct.create(policies.BINDINGS, protections.binding(protection))
    told: list[Mode] = []
    client = Client(LocalTransport(api), manager="test")
    return Place(
        api=api,
        direct=direct,
        told=told,
        prerequisites=Prerequisites(client, told.append),
    )


@virtualtime.played
async def test_a_cluster_that_has_everything_may_be_repaired() -> None:
    here = place()

    assert await here.look() == []
    assert here.told == [Mode.ENFORCE]


@virtualtime.played
async def test_nothing_is_known_before_somebody_looked() -> None:
    here = place()

    assert here.prerequisites.missing
    assert not here.prerequisites.known.is_set()


@pytest.mark.parametrize(
    ("resource", "name", "kind"),
    [
        (CRDS, "nodehealths.nodemend.dev", "CustomResourceDefinition"),
        (policies.RESOURCE, HEALTH, "ValidatingAdmissionPolicy"),
        (policies.BINDINGS, LEDGER, "ValidatingAdmissionPolicyBinding"),
        (policies.RESOURCE, PODS, "ValidatingAdmissionPolicy"),
    ],
)
@virtualtime.played
async def test_what_is_missing_is_named_and_keeps_us_at_observing(
    resource: str, name: str, kind: str
) -> None:
    here = place()
    here.direct.delete(resource, name)

    (said,) = await here.look()

    assert said.startswith(f"{kind} {name}: is missing; `kubectl apply -k ")
    assert here.told == [Mode.OBSERVE]


@pytest.mark.parametrize(
    ("resource", "name", "patch", "said"),
    [
        (
            CRDS,
            "noderepairs.nodemend.dev",
            {"metadata": {"annotations": {"nodemend.dev/schema": "older"}}},
            "got older",
        ),
        (policies.RESOURCE, HEALTH, {"spec": {"failurePolicy": "Ignore"}}, "something else"),
        (
            policies.RESOURCE,
            HEALTH,
            {"spec": {"validations": [{"expression": "true"}]}},
            "something else",
        ),
        (policies.BINDINGS, HEALTH, {"spec": {"validationActions": ["Warn"]}}, "expected it to"),
        (policies.BINDINGS, HEALTH, {"spec": {"policyName": "another"}}, "expected it to"),
        (
            policies.BINDINGS,
            PODS,
            {"spec": {"paramRef": {"parameterNotFoundAction": "Allow"}}},
            "expected it to",
        ),
        (
            policies.RESOURCE,
            PODS,
            {"spec": {"matchConstraints": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}},
            "something else",
        ),
    ],
    ids=[
        "older schema",
        "fails open",
        "weaker",
        "only warns",
        "bound to another",
        "lets everything in without parameters",
        "looks elsewhere",
    ],
)
@virtualtime.played
async def test_what_is_not_as_it_should_be_is_as_good_as_missing(
    resource: str, name: str, patch: dict[str, Any], said: str
) -> None:
    here = place()
    here.direct.merge(resource, name, patch)

    (found,) = await here.look()

    assert said in found
    assert here.told == [Mode.OBSERVE]


@virtualtime.played
async def test_what_the_server_adds_of_its_own_makes_no_difference() -> None:
    here = place()
    rules = protections.policy(PROTECTIONS[0])["spec"]["matchConstraints"]["resourceRules"]
    added = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [{**rule, "scope": "*"} for rule in rules],
    }
    here.direct.merge(policies.RESOURCE, HEALTH, {"spec": {"matchConstraints": added}})

    assert await here.look() == []


@pytest.mark.parametrize(("minor", "missing"), [("29", 1), ("30", 0), ("32+", 0)])
@virtualtime.played
async def test_kubernetes_must_be_new_enough(minor: str, missing: int) -> None:
    here = place()
    here.api.faults.add(Old(match=Match(path="/version"), minor=minor))

    assert len(await here.look()) == missing


@virtualtime.played
async def test_what_was_seen_last_stands_while_the_server_is_away() -> None:
    here = place()
    await here.look()
    here.api.faults.add(Unreachable())

    assert await here.look() == []
    assert here.told == [Mode.ENFORCE]


@virtualtime.played
async def test_what_may_not_be_read_is_not_counted_on() -> None:
    here = place()
    here.api.faults.add(Refuse(match=Match(path=f"/{HEALTH}"), code=403, reason="Forbidden"))

    found = await here.look()

    assert len(found) == 2
    assert all("may not be read" in each for each in found)


@virtualtime.played
async def test_what_is_put_right_is_seen_at_the_next_look() -> None:
    here = place()
    here.direct.delete(policies.BINDINGS, HEALTH)
    await here.look()

    here.direct.create(policies.BINDINGS, protections.binding(PROTECTIONS[0]))

    assert await here.look() == []
    assert here.told == [Mode.OBSERVE, Mode.ENFORCE]
