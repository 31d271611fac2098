"""ValidatingAdmissionPolicies: what every write must fulfil, said in CEL.

Only what is written out whole is carried out: no variables, no selectors of objects, and no
deletions; a policy with one of them is refused, so that nobody relies on it. A namespace is
selected by its name alone, and parameters are one object that the binding names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nodehealth import cel
from simulator.api import admitted, names, status, wire
from simulator.api.calls import Call
from simulator.api.kinds import Kind
from simulator.api.status import Cause, StatusError
from simulator.api.store import Change
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

RESOURCE: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS: Final = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422}
_USER: Final = cel.Record(
    {
        "username": cel.STRING,
        "uid": cel.STRING,
        "groups": cel.List(cel.STRING),
        "extra": cel.Map(cel.STRING, cel.List(cel.STRING)),
    }
)
_REQUEST: Final = cel.Record(
    {
        "name": cel.STRING,
        "namespace": cel.STRING,
        "operation": cel.STRING,
        "subResource": cel.STRING,
        "userInfo": _USER,
    }
)
_NAMES: Final[Mapping[str, cel.Type]] = {
    "request": _REQUEST,
    "object": cel.DYN,
    "oldObject": cel.DYN,
}
_LEFT_OUT: Final = (
    ("variables",),
    ("auditAnnotations",),
    ("matchConstraints", "namespaceSelector", "matchExpressions"),
    ("matchConstraints", "objectSelector"),
    ("matchConstraints", "excludeResourceRules"),
    ("paramRef", "selector"),
    ("matchResources",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    holds: cel.Program
    message: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Policy:
    name: str
    binding: str
    rules: tuple[JsonObject, ...]
    namespace: str
    """The only one whose objects are looked at; empty for all."""
    params: tuple[Kind, str, str] | None
    """Kind, namespace and name of what is the parameters."""
    conditions: tuple[cel.Program, ...]
    checks: tuple[_Check, ...]
    fails_open: bool

    def matches(self, call: Call) -> bool:
        if self.namespace not in {"", call.namespace}:
            return False
        part = f"/{call.subresource}" if call.subresource else ""
        resource = f"{call.kind.plural}{part}"
        operation = "CREATE" if call.verb == "create" else "UPDATE"
        wanted = (
            ("apiGroups", call.kind.group),
            ("apiVersions", call.kind.version),
            ("operations", operation),
            ("resources", resource),
        )
        return any(
            all({"*", value} & set(rule.get(field, ())) for field, value in wanted)
            for rule in self.rules
        )


class Policies:
    """Holds every write against the policies that are bound."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bound: tuple[_Policy, ...] | None = None

    def notice(self, change: Change) -> None:
        """Forget what was known when a policy or a binding changes."""
        if change.resource in {RESOURCE, BINDINGS}:
            self._bound = None

    def admit(self, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Let a write pass that every policy holds true.

        Raises:
            StatusError: one does not; it says which, and why.
        """
        if self._bound is None:
            self._bound = tuple(self._known())
        for policy in self._bound:
            if policy.matches(call):
                _apply(
                    policy, call, {**self._params(policy, call), "object": new, "oldObject": old}
                )

    def _params(self, policy: _Policy, call: Call) -> JsonObject:
        if policy.params is None:
            return {}
        found = self._world.find(*policy.params)
        if found is None:
            said = "failed to configure binding: no params found for policy binding with `Deny` "
            raise _denial(policy, call, call.name, said + "parameterNotFoundAction", "Invalid")
        return {"params": found}

    def _known(self) -> Iterator[_Policy]:
        bindings = self._world.store.shelf(self._world.kinds.named(BINDINGS)).entries.values()
        for binding in (wire.load(entry.body) for entry in bindings):
            name = wire.text(binding, "spec", "policyName")
            policy = self._world.find(self._world.kinds.named(RESOURCE), "", name)
            actions = wire.section(binding, "spec").get("validationActions", ())
            if policy is not None and "Deny" in actions:
                yield _compiled(policy, binding, self._params_of(policy, binding))

    def _params_of(self, policy: JsonObject, binding: JsonObject) -> tuple[Kind, str, str] | None:
        wanted = wire.section(policy, "spec", "paramKind")
        named = wire.section(binding, "spec", "paramRef")
        kind = self._world.kinds.of(wanted.get("apiVersion", ""), wanted.get("kind", ""))
        return None if kind is None else (kind, named.get("namespace", ""), named.get("name", ""))


class PolicyStrategy(Strategy):
    """The rules of policies and their bindings: what cannot be carried out is not taken."""

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about what this server does not know, and about CEL that makes no sense."""
        del world, call, old
        spec = wire.section(new, "spec")
        for path in _LEFT_OUT:
            if wire.section({"spec": spec}, "spec", *path[:-1]).get(path[-1]):
                rule = "is not carried out by this server"
                yield names.bad_value(".".join(("spec", *path)), "", rule)
        for place, expression in _expressions(spec):
            try:
                _program(expression, *_about(spec))
            except cel.ExpressionError as problem:
                yield names.bad_value(place, expression, str(problem))


def _expressions(spec: JsonObject) -> Iterator[tuple[str, str]]:
    for field in ("matchConditions", "validations"):
        for index, each in enumerate(wire.items(spec, field)):
            yield f"spec.{field}[{index}].expression", str(each.get("expression", ""))


def _about(spec: JsonObject) -> tuple[str, bool]:
    """Return the one resource that a policy is about, if it is one, and whether it has params."""
    rules = wire.items(spec, "matchConstraints", "resourceRules")
    about = {str(each) for rule in rules for each in rule.get("resources", ())}
    return (about.pop() if len(about) == 1 else "", bool(spec.get("paramKind")))


@lru_cache(maxsize=256)
def _program(expression: str, resource: str, has_params: bool) -> cel.Program:  # noqa: FBT001 - a cache's key
    """Make an expression ready once: the server knows the fields of the kind that it is about."""
    seen = admitted.FIELDS.get(resource, cel.DYN)
    known = {"params": cel.DYN} if has_params else {}
    return cel.compile(expression, {**_NAMES, **known, "object": seen, "oldObject": seen})


def _compiled(
    policy: JsonObject, binding: JsonObject, params: tuple[Kind, str, str] | None
) -> _Policy:
    spec = policy["spec"]
    about, selector = _about(spec), ("matchConstraints", "namespaceSelector", "matchLabels")
    return _Policy(
        name=policy["metadata"]["name"],
        binding=wire.text(binding, "metadata", "name"),
        rules=tuple(wire.items(spec, "matchConstraints", "resourceRules")),
        namespace=wire.section(spec, *selector).get(_NAMESPACE_NAME, ""),
        params=params,
        conditions=tuple(
            _program(each["expression"], *about) for each in wire.items(spec, "matchConditions")
        ),
        checks=tuple(_check(each, about) for each in wire.items(spec, "validations")),
        fails_open=spec.get("failurePolicy") == "Ignore",
    )


def _check(validation: JsonObject, about: tuple[str, bool]) -> _Check:
    text = validation["expression"]
    return _Check(
        holds=_program(text, *about),
        message=str(validation.get("message") or f"failed expression: {text}"),
        reason=str(validation.get("reason") or "Invalid"),
    )


def _apply(policy: _Policy, call: Call, states: JsonObject) -> None:
    values = {"request": _request(call), **states}
    name = call.name or wire.text(states["object"], "metadata", "name")
    try:
        if not all(condition(values) for condition in policy.conditions):
            return
    except cel.EvaluationError as problem:
        if not policy.fails_open:
            raise _denial(policy, call, name, str(problem), "Invalid") from problem
        return
    for check in policy.checks:
        try:
            holds, said = check.holds(values), check.message
        except cel.EvaluationError as problem:
            text = check.holds.text
            holds, said = policy.fails_open, f"expression '{text}' resulted in error: {problem}"
        if not holds:
            raise _denial(policy, call, name, said, check.reason)


def _denial(policy: _Policy, call: Call, name: str, said: str, reason: str) -> StatusError:
    why = (
        f"ValidatingAdmissionPolicy '{policy.name}' with binding '{policy.binding}' "
        f"denied request: {said}"
    )
    refused = status.forbidden(call.kind.resource, name, why)
    return StatusError(_CODES.get(reason, 422), reason, refused.message, details=refused.details)


def _request(call: Call) -> JsonObject:
    user = call.user
    about = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    request = {
        "name": call.name,
        "namespace": call.namespace,
        "operation": "CREATE" if call.verb == "create" else "UPDATE",
        "subResource": call.subresource,
        "userInfo": {key: value for key, value in about.items() if value},
    }
    return {key: value for key, value in request.items() if value}
