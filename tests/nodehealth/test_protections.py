"""The admission policies: what their CEL says of requests, by Google's own implementation."""

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from cel_expr_python import cel as google

from nodehealth import keys, protections
from nodehealth.errand import Program
from nodehealth.protections import PROTECTIONS, Protection

MANIFESTS: Final = Path(__file__).parents[2] / "deploy" / "admission"
HEALTH, LEDGER, REPAIRS, PODS, ALONE = PROTECTIONS
IMAGE: Final = "registry.example/nodemend:1"
TEMPLATE: Final = {"template": {"spec": {"containers": [{"name": "errand", "image": IMAGE}]}}}
REMEDIATOR: Final = {"username": keys.REMEDIATOR_USER}
ENV: Final = google.NewEnv(
    variables=dict.fromkeys(("request", "object", "oldObject", "params"), google.Type.DYN)
)


def ids(protection: Protection) -> str:
    return protection.name


def agents_token(*nodes: str) -> dict[str, Any]:
    """Return who asks with an agent's token, and to which node the token says it is bound."""
    extra = {"extra": {keys.BOUND_NODE: list(nodes)}} if nodes else {}
    return {"username": keys.AGENT_USER, "groups": ["system:serviceaccounts"], **extra}


def refusals(
    protection: Protection,
    user: Mapping[str, object],
    operation: str = "CREATE",
    *,
    part: str = "",
    **states: object,
) -> list[str]:
    """Return what a policy says against a request; an error is a refusal, by failurePolicy."""
    request = {"userInfo": user, "operation": operation, **({"subResource": part} if part else {})}
    params = TEMPLATE if protection.params else None
    values = {"request": request, "object": None, "oldObject": None, "params": params, **states}
    policy = protections.policy(protection)["spec"]
    for condition in policy.get("matchConditions", []):
        if not holds(condition["expression"], values):
            return []
    found = policy["validations"]
    return [each["message"] for each in found if not holds(each["expression"], values)]


@functools.cache
def compiled(expression: str) -> Any:  # noqa: ANN401 - the package has no types
    return ENV.compile(expression)


def holds(expression: str, values: Mapping[str, object]) -> bool:
    result = compiled(expression).eval(data=dict(values))
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
    said = refusals(LEDGER, user, object=named("default", after), oldObject=named("default", 7))

    assert said == ["the epoch never falls"]


def pod(program: Program = Program.REBOOT) -> dict[str, Any]:
    """Return a Pod as policies see it: as the remediator made it, with the server's defaults."""
    container = {
        "name": "errand",
        "image": IMAGE,
        "command": ["nodemend", "node", program.value, "--boot-id", "b1"],
        "env": [{"name": "HOST_ROOT", "value": "/host"}],
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
        "resources": {},
    }
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {
        "metadata": {"name": "reboot-1", "namespace": keys.REPAIR_NAMESPACE},
        "spec": {
            "containers": [container],
            "schedulerName": keys.REPAIR_SCHEDULER,
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 300,
            "automountServiceAccountToken": False,
            "serviceAccountName": "default",
            "volumes": [{"name": "host", "hostPath": {"path": "/", "type": ""}}],
        },
    }


def changed(*path: str | int, to: object) -> dict[str, Any]:
    """Return such a Pod with one thing different."""
    made = pod()
    *way, last = path
    place: Any = made["spec"]
    for step in way:
        place = place[step]
    if to is None:
        del place[last]
    else:
        place[last] = to
    return made


ONLY: Final = ("containers", 0)
COMMAND: Final = ("nodemend", "node", "reboot", "--boot-id", "b1")
TERM: Final = (
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
)
SIDECAR: Final = {"name": "sidecar", "image": IMAGE, "command": ["nodemend"]}
HOOK: Final = {"exec": {"command": ["sh"]}}


@pytest.mark.parametrize("program", Program)
def test_the_remediator_makes_pods_of_every_program(program: Program) -> None:
    assert refusals(PODS, REMEDIATOR, object=pod(program)) == []


def test_nobody_else_makes_repair_pods() -> None:
    user = {"username": "jane", "groups": ["system:masters"]}

    assert refusals(PODS, user, object=pod()) == ["only the remediator makes repair Pods"]


@pytest.mark.parametrize(
    "made",
    [
        changed("containers", to=[*pod()["spec"]["containers"], SIDECAR]),
        changed("containers", to=[]),
        changed("initContainers", to=[SIDECAR]),
        changed(*ONLY, "image", to="registry.example/other:1"),
        changed(*ONLY, "command", to=None),
        changed(*ONLY, "command", to=["sh", "-c", "true", "--boot-id", "b1"]),
        changed(*ONLY, "command", to=["nodemend", "agent", "reboot", "--boot-id", "b1"]),
        changed(*ONLY, "command", to=["nodemend", "node", "shell", "--boot-id", "b1"]),
        changed(*ONLY, "command", to=["nodemend", "node", "reboot"]),
        changed(*ONLY, "command", to=["nodemend", "node", "reboot", "--boot-id", ""]),
        changed(*ONLY, "command", to=[*COMMAND, "--root", "/host/tmp/x"]),
        changed(*ONLY, "command", to=[*COMMAND, "--force"]),
        changed(*ONLY, "args", to=["--more"]),
        changed(*ONLY, "env", to=[{"name": "LD_PRELOAD", "value": "/host/x.so"}]),
        changed(*ONLY, "env", to=[{"name": "HOST_ROOT", "value": "/elsewhere"}]),
        changed(*ONLY, "env", to=[{"name": "HOST_ROOT", "valueFrom": {}}]),
        changed(*ONLY, "envFrom", to=[{"secretRef": {"name": "s"}}]),
        changed(*ONLY, "workingDir", to="/host"),
        changed(*ONLY, "lifecycle", to={"postStart": HOOK}),
        changed(*ONLY, "livenessProbe", to=HOOK),
        changed(*ONLY, "readinessProbe", to=HOOK),
        changed(*ONLY, "startupProbe", to=HOOK),
        changed("nodeName", to="n2"),
        changed("schedulerName", to="default-scheduler"),
        changed("affinity", to=None),
        changed(*TERM, to=[]),
        changed(*TERM, to=[*pod()["spec"]["affinity"]["nodeAffinity"][TERM[2]][TERM[3]]] * 2),
        changed(*TERM, 0, "matchExpressions", to=[{"key": "a", "operator": "Exists"}]),
        changed(*TERM, 0, "matchFields", 0, "values", to=["n1", "n2"]),
        changed(*TERM, 0, "matchFields", 0, "operator", to="NotIn"),
        changed(*TERM, 0, "matchFields", 0, "key", to="metadata.namespace"),
        changed("restartPolicy", to="Always"),
        changed("activeDeadlineSeconds", to=None),
        changed("activeDeadlineSeconds", to=86400),
        changed("automountServiceAccountToken", to=None),
        changed("automountServiceAccountToken", to=True),
        changed("volumes", to=[{"name": "token", "projected": {"sources": []}}]),
        changed("volumes", to=[{"name": "host", "hostPath": {"path": "/etc"}}]),
        changed(*ONLY, "volumeMounts", to=[{"name": "host", "mountPath": "/venv"}]),
        changed(*ONLY, "volumeMounts", 0, "subPath", to="var/lib/kubelet/pods/u/volumes/x"),
        changed(*ONLY, "volumeMounts", 0, "subPathExpr", to="$(HOST_ROOT)"),
    ],
)
def test_a_repair_pod_with_one_thing_different_is_refused(made: dict[str, Any]) -> None:
    assert refusals(PODS, REMEDIATOR, object=made) != []


def test_no_pod_is_let_in_whose_image_nothing_names() -> None:
    nothing: dict[str, Any] = {"template": {"spec": {"containers": []}}}

    assert refusals(PODS, REMEDIATOR, object=pod(), params=nothing) != []


def test_nothing_of_a_repair_pod_is_changed_later_not_even_by_the_remediator() -> None:
    other = changed(*ONLY, "image", to="registry.example/other:1")
    labelled = copy.deepcopy(pod())
    labelled["metadata"]["labels"] = {"a": "b"}

    assert refusals(PODS, REMEDIATOR, "UPDATE", object=other, oldObject=pod()) == [
        "nothing of a repair Pod is ever changed"
    ]
    assert refusals(PODS, {"username": "jane"}, "UPDATE", object=labelled, oldObject=pod()) == []


def test_only_the_remediator_sends_repair_pods_and_nobody_enters_one() -> None:
    binding = {"target": {"name": "n1"}}
    jane = {"username": "jane", "groups": ["system:masters"]}

    assert refusals(ALONE, REMEDIATOR, object=binding) == []
    assert refusals(ALONE, jane, object=binding) != []
    assert refusals(ALONE, REMEDIATOR, "CONNECT", object={}) != []
    assert refusals(ALONE, REMEDIATOR, "UPDATE", object=pod(), oldObject=pod()) != []


@pytest.mark.parametrize("protection", [PODS, ALONE], ids=ids)
def test_pods_of_other_namespaces_are_none_of_our_business(protection: Protection) -> None:
    constraints = protections.policy(protection)["spec"]["matchConstraints"]

    assert constraints["namespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "nodemend-repair"}
    }


def test_every_way_to_start_or_enter_a_pod_is_closed() -> None:
    (rule,) = protections.policy(ALONE)["spec"]["matchConstraints"]["resourceRules"]

    assert {"bindings", "pods/binding", "pods/exec", "pods/attach", "pods/ephemeralcontainers"} <= {
        *rule["resources"]
    }
    assert set(rule["operations"]) == {"CREATE", "UPDATE", "CONNECT"}


def test_without_its_parameters_the_policy_refuses_every_repair_pod() -> None:
    assert protections.binding(PODS)["spec"]["paramRef"] == {
        "name": "nodemend-repair",
        "namespace": "nodemend-repair",
        "parameterNotFoundAction": "Deny",
    }


PLAN: Final[Mapping[str, object]] = {"target": {"node": "n1", "nodeUID": "u"}, "rule": "r"}
APPROVED: Final = {"spec": {**PLAN, "approved": {"by": "ann"}}}
ASKED: Final = {"spec": {**PLAN, "request": {"what": "retry"}}}


def test_only_the_remediator_writes_how_a_repair_stands() -> None:
    repair = {"spec": PLAN, "status": {"phase": "Recovered"}}

    by_people = refusals(REPAIRS, {"username": "ann"}, "UPDATE", part="status", object=repair)
    by_us = refusals(REPAIRS, REMEDIATOR, "UPDATE", part="status", object={**APPROVED, **repair})

    assert len(by_people) == 1
    assert by_us == []


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
@pytest.mark.parametrize("wished", [APPROVED, ASKED])
def test_the_remediator_neither_approves_nor_asks(
    operation: str, wished: Mapping[str, object]
) -> None:
    assert len(refusals(REPAIRS, REMEDIATOR, operation, object=wished)) == 1
    assert refusals(REPAIRS, {"username": "ann"}, operation, object=wished) == []
    assert refusals(REPAIRS, REMEDIATOR, operation, object={"spec": PLAN}) == []


def test_the_remediator_goes_on_with_what_was_approved() -> None:
    assert refusals(REPAIRS, REMEDIATOR, "UPDATE", part="status", object=APPROVED) == []
