"""The admission policies: what their CEL says of requests, by Google's own implementation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from cel_expr_python import cel as google

from nodehealth import keys, protections
from nodehealth.protections import PROTECTIONS, Protection

MANIFESTS: Final = Path(__file__).parents[2] / "deploy" / "admission"
HEALTH, LEDGER = PROTECTIONS
ENV: Final = google.NewEnv(
    variables=dict.fromkeys(("request", "object", "oldObject"), google.Type.DYN)
)


def ids(protection: Protection) -> str:
    return protection.name


def agents_token(*nodes: str) -> dict[str, Any]:
    """Return who asks with an agent's token, and to which node the token says it is bound."""
    extra = {"extra": {keys.BOUND_NODE: list(nodes)}} if nodes else {}
    return {"username": keys.AGENT_USER, "groups": ["system:serviceaccounts"], **extra}


def refusals(protection: Protection, user: Mapping[str, object], **states: object) -> list[str]:
    """Return what a policy says against a request; an error is a refusal, by failurePolicy."""
    values = {"request": {"userInfo": user}, "object": None, "oldObject": None, **states}
    policy = protections.policy(protection)["spec"]
    for condition in policy.get("matchConditions", []):
        if not holds(condition["expression"], values):
            return []
    found = policy["validations"]
    return [each["message"] for each in found if not holds(each["expression"], values)]


def holds(expression: str, values: Mapping[str, object]) -> bool:
    result = ENV.compile(expression).eval(data=dict(values))
    return result.value() is True


def named(name: str, epoch: int | None = None) -> dict[str, Any]:
    status = {} if epoch is None else {"status": {"epoch": epoch}}
    return {"metadata": {"name": name}, **status}


@pytest.mark.parametrize("protection", PROTECTIONS, ids=ids)
def test_the_manifest_is_what_the_module_makes(protection: Protection) -> None:
    path = MANIFESTS / f"{protection.name.partition('.')[0]}.yaml"

    assert path.read_text(encoding="utf-8") == protections.written(protection), "run `make crds`"


@pytest.mark.parametrize("protection", PROTECTIONS, ids=ids)
def test_what_a_policy_cannot_decide_is_refused(protection: Protection) -> None:
    assert protections.policy(protection)["spec"]["failurePolicy"] == "Fail"
    assert protections.binding(protection)["spec"]["validationActions"] == ["Deny"]


def test_an_agent_writes_the_health_of_its_own_node() -> None:
    assert refusals(HEALTH, agents_token("n1"), object=named("n1")) == []


@pytest.mark.parametrize("nodes", [("n2",), (), ("n1", "n2"), ("n2", "n1")], ids=str)
def test_an_agent_writes_no_other_nodes_health(nodes: tuple[str, ...]) -> None:
    assert refusals(HEALTH, agents_token(*nodes), object=named("n1")) != []


def test_a_token_with_other_claims_but_no_node_is_refused() -> None:
    user = {**agents_token(), "extra": {"authentication.kubernetes.io/pod-name": ["n1"]}}

    assert refusals(HEALTH, user, object=named("n1")) != []


def test_the_status_of_a_health_is_protected_as_the_object_is() -> None:
    (rule,) = protections.policy(HEALTH)["spec"]["matchConstraints"]["resourceRules"]

    assert rule["resources"] == ["nodehealths", "nodehealths/status"]


def test_people_who_mend_a_health_by_hand_are_not_held_up() -> None:
    assert refusals(HEALTH, {"username": "jane"}, object=named("n1")) == []


def test_the_remediator_admits() -> None:
    user = {"username": keys.REMEDIATOR_USER}

    assert refusals(LEDGER, user, object=named("default", 8), oldObject=named("default", 7)) == []
    assert refusals(LEDGER, user, object=named("default", 1), oldObject=named("default")) == []


def test_nobody_else_admits() -> None:
    user = {"username": "jane", "groups": ["system:masters"]}

    (said,) = refusals(LEDGER, user, object=named("default", 8), oldObject=named("default", 7))

    assert said.startswith("only the remediator")


@pytest.mark.parametrize("after", [6, None])
def test_the_epoch_never_falls_nor_vanishes(after: int | None) -> None:
    user = {"username": keys.REMEDIATOR_USER}
    states = {"object": named("default", after), "oldObject": named("default", 7)}

    assert refusals(LEDGER, user, **states) == ["the epoch never falls"]
