"""A request, understood: who asks for what, of which object."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from simulator.api import status
from simulator.api.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ADMIN: Final = User(
    name="kubernetes-admin", groups=("kubeadm:cluster-admins", "system:authenticated")
)
CONTROLLERS: Final = User(name="system:kube-controller-manager", groups=("system:authenticated",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked of which object, by whom, when."""

    verb: str
    kind: Kind
    at: datetime
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""
    """The User-Agent of the client."""

    @property
    def key(self) -> str:
        """Return the key of the object that is asked for."""
        return self.kind.key(self.namespace, self.name)

    def about(self, fields: Mapping[str, str]) -> "Call":
        """Return the same call about one object of a collection."""
        name, namespace = fields["metadata.name"], fields["metadata.namespace"]
        return replace(self, verb="delete", name=name, namespace=namespace)

    @property
    def manager(self) -> str:
        """Return who shall own the fields that this call changes."""
        return self.query.get("fieldManager") or self.agent.partition("/")[0]

    @property
    def dry_run(self) -> bool:
        """Tell whether nothing shall be kept.

        Raises:
            simulator.api.status.StatusError: 400, the option has a value other than All.
        """
        asked = self.query.get("dryRun", "")
        if asked not in {"", "All"}:
            raise status.bad_request(f'invalid dry run option "{asked}", expected "All"')
        return asked == "All"
