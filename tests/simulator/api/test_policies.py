"""Admission policies are held to: on every write that they match, once they are bound."""

import pytest

from simulator.api import policies
from simulator.api.direct import Direct
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject

MAPS = "configmaps"


def policy(expression: str, *, reason: str = "", **more: object) -> JsonObject:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
    validation = {"expression": expression, "message": "not so"}
    spec: JsonObject = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resources": [MAPS]}]},
        "validations": [{**validation, "reason": reason} if reason else validation],
        **more,
    }
    return {"metadata": {"name": "p"}, "spec": spec}


def bind(direct: Direct, *actions: str) -> None:
    spec = {"policyName": "p", "validationActions": list(actions or ("Deny",))}
    direct.create(policies.BINDINGS, {"metadata": {"name": "b"}, "spec": spec})


def write(direct: Direct, name: str = "m", **data: str) -> JsonObject:
    return direct.create(MAPS, {"metadata": {"name": name}, "data": data}, namespace="default")


def test_what_a_policy_denies_is_refused_in_its_words(direct: Direct) -> None:
    direct.create(policies.RESOURCE, policy('object.metadata.name == "good"', reason="Forbidden"))
    bind(direct)

    write(direct, "good")
    with pytest.raises(StatusError) as refused:
        write(direct, "bad")

    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    assert refused.value.message == (
        "configmaps \"bad\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
        "denied request: not so"
    )


def test_without_a_reason_a_denial_calls_the_object_invalid(direct: Direct) -> None:
    direct.create(policies.RESOURCE, policy("false"))
    bind(direct)

    with pytest.raises(StatusError) as refused:
        write(direct)

    assert refused.value.code == 422


@pytest.mark.parametrize("actions", [(), ("Audit",), ("Warn",)])
def test_a_policy_that_is_not_bound_to_deny_does_nothing(
    direct: Direct, actions: tuple[str, ...]
) -> None:
    direct.create(policies.RESOURCE, policy("false"))
    if actions:
        bind(direct, *actions)

    assert write(direct)["metadata"]["name"] == "m"


def test_conditions_say_whose_writes_are_looked_at(direct: Direct) -> None:
    others = {"name": "others", "expression": 'request.userInfo.username == "jane"'}
    direct.create(policies.RESOURCE, policy("false", matchConditions=[others]))
    bind(direct)

    assert write(direct)["metadata"]["name"] == "m"


def test_an_update_is_compared_with_what_was(direct: Direct) -> None:
    growing = "oldObject == null || object.data.n >= oldObject.data.n"
    direct.create(policies.RESOURCE, policy(growing))
    bind(direct)
    write(direct, n="2")

    direct.merge(MAPS, "m", {"data": {"n": "3"}}, namespace="default")

    with pytest.raises(StatusError, match="not so"):
        direct.merge(MAPS, "m", {"data": {"n": "1"}}, namespace="default")


def test_what_cannot_be_evaluated_is_denied(direct: Direct) -> None:
    direct.create(policies.RESOURCE, policy('object.nothing == "x"'))
    bind(direct)

    with pytest.raises(StatusError, match="resulted in error"):
        write(direct)


def test_what_cannot_be_evaluated_passes_where_the_policy_says_so(direct: Direct) -> None:
    direct.create(policies.RESOURCE, policy('object.nothing == "x"', failurePolicy="Ignore"))
    bind(direct)

    assert write(direct)["metadata"]["name"] == "m"


def test_a_policy_that_is_taken_away_holds_no_longer(direct: Direct) -> None:
    direct.create(policies.RESOURCE, policy("false"))
    bind(direct)

    direct.delete(policies.BINDINGS, "b")

    assert write(direct)["metadata"]["name"] == "m"


@pytest.mark.parametrize(
    "spec",
    [
        policy("object.metadata.name =="),
        policy("no.such.thing"),
        policy("true", variables=[{"name": "x", "expression": "1"}]),
        policy("params.data.x == object.metadata.name"),
    ],
    ids=["syntax", "names", "variables", "parameters"],
)
def test_what_would_not_be_carried_out_is_not_taken(direct: Direct, spec: JsonObject) -> None:
    with pytest.raises(StatusError) as refused:
        direct.create(policies.RESOURCE, spec)

    assert refused.value.code == 422


PARAMETERS = {"apiVersion": "v1", "kind": "ConfigMap"}


def with_parameters(direct: Direct, expression: str) -> None:
    direct.create(policies.RESOURCE, policy(expression, paramKind=PARAMETERS))
    reference = {"name": "p", "namespace": "kube-system", "parameterNotFoundAction": "Deny"}
    spec = {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}
    direct.create(policies.BINDINGS, {"metadata": {"name": "b"}, "spec": spec})


def test_parameters_are_the_configmap_that_the_binding_names(direct: Direct) -> None:
    named = {"metadata": {"name": "p"}, "data": {"name": "good"}}
    direct.create(MAPS, named, namespace="kube-system")
    with_parameters(direct, "object.metadata.name == params.data.name")

    write(direct, "good")
    with pytest.raises(StatusError, match="not so"):
        write(direct, "bad")


def test_without_its_parameters_a_policy_denies_all_that_it_matches(direct: Direct) -> None:
    with_parameters(direct, "true")

    with pytest.raises(StatusError, match="no params found"):
        write(direct)


def test_a_policy_of_one_namespace_looks_at_no_other(direct: Direct) -> None:
    made = policy("false")
    labels = {"kubernetes.io/metadata.name": "kube-system"}
    made["spec"]["matchConstraints"]["namespaceSelector"] = {"matchLabels": labels}
    direct.create(policies.RESOURCE, made)
    bind(direct)

    write(direct)
    with pytest.raises(StatusError, match="not so"):
        direct.create(MAPS, {"metadata": {"name": "m"}}, namespace="kube-system")
