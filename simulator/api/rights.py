"""Who may do what, by the Roles and ClusterRoles that there are: RBAC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from simulator.api import status, wire
from simulator.api.calls import CONTROLLERS, Call, User
from simulator.api.kinds import Kind
from simulator.api.status import StatusError
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.api.world import World

GROUP: Final = "rbac.authorization.k8s.io"
_POWERFUL: Final = frozenset({"system:masters", "kubeadm:cluster-admins", "system:nodes"})
_PARTS: Final = frozenset({CONTROLLERS.name, "system:kube-scheduler"})
"""The cluster's own parts may do everything here: nobody's rights but ours are of interest."""
_EVERYBODYS: Final = frozenset(
    {
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str
    """With its subresource, as in `pods/eviction`."""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]

    def covers(self, access: Access) -> bool:
        return (
            not self.verbs.isdisjoint({"*", access.verb})
            and not self.groups.isdisjoint({"*", access.group})
            and not self.resources.isdisjoint({"*", access.resource})
            and (not self.names or access.name in self.names)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """Rules that hold for a user or a group, in a namespace or everywhere."""

    subject: str
    namespace: str
    rules: tuple[_Rule, ...]


class Rights:
    """Knows every grant, and refuses what none of them covers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._grants: Mapping[str, list[_Grant]] | None = None

    def notice(self, change: Change) -> None:
        """Forget what was known when a role or a binding changes."""
        if change.resource.endswith(GROUP):
            self._grants = None

    def check(self, call: Call) -> None:
        """Let a call pass that is allowed.

        Raises:
            StatusError: 403, it is not.
        """
        access = access_of(call)
        if call.kind.resource not in _EVERYBODYS and not self.allow(call.user, access):
            raise _refusal(call, access)

    def allow(self, user: User, access: Access) -> bool:
        """Say whether somebody may do something."""
        if user.name in _PARTS or not _POWERFUL.isdisjoint(user.groups):
            return True
        if self._grants is None:
            self._grants = self._known()
        subjects = (f"User {user.name}", *(f"Group {group}" for group in user.groups))
        return any(
            grant.namespace in {"", access.namespace}
            and any(rule.covers(access) for rule in grant.rules)
            for subject in subjects
            for grant in self._grants.get(subject, ())
        )

    def _known(self) -> Mapping[str, list[_Grant]]:
        found: dict[str, list[_Grant]] = {}
        for plural in ("clusterrolebindings", "rolebindings"):
            for binding in self._all(plural):
                for grant in self._granted(binding):
                    found.setdefault(grant.subject, []).append(grant)
        return found

    def _granted(self, binding: JsonObject) -> Iterator[_Grant]:
        namespace = wire.text(binding, "metadata", "namespace")
        name = wire.text(binding, "roleRef", "name")
        plural = f"{wire.text(binding, 'roleRef', 'kind').lower()}s"
        role = self._world.find(self._kind(plural), namespace, name) or {}
        rules = tuple(map(_rule, wire.items(role, "rules")))
        for subject in wire.items(binding, "subjects"):
            yield _Grant(subject=_subject(subject), namespace=namespace, rules=rules)

    def _all(self, plural: str) -> Iterator[JsonObject]:
        for entry in self._world.store.shelf(self._kind(plural)).entries.values():
            yield wire.load(entry.body)

    def _kind(self, plural: str) -> Kind:
        return self._world.kinds.named(f"{plural}.{GROUP}")


def access_of(call: Call) -> Access:
    """Return what a call wants to do."""
    part = f"/{call.subresource}" if call.subresource else ""
    return Access(
        verb=call.verb,
        group=call.kind.group,
        resource=f"{call.kind.plural}{part}",
        namespace=call.namespace,
        name=call.name,
    )


def _rule(rule: JsonObject) -> _Rule:
    return _Rule(
        verbs=frozenset(rule.get("verbs") or ()),
        groups=frozenset(rule.get("apiGroups") or ()),
        resources=frozenset(rule.get("resources") or ()),
        names=frozenset(rule.get("resourceNames") or ()),
    )


def _subject(subject: JsonObject) -> str:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "ServiceAccount":
        return f"User system:serviceaccount:{subject.get('namespace')}:{name}"
    return f"{kind} {name}"


def _refusal(call: Call, access: Access) -> StatusError:
    where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
    why = (
        f'User "{call.user.name}" cannot {access.verb} resource "{access.resource}" '
        f'in API group "{access.group}" {where}'
    )
    refused = status.forbidden(call.kind.resource, call.name, why)
    if not call.name:
        refused.message = f"{call.kind.resource} is forbidden: {why}"
    return refused
