"""Who did what to which object, told for every request when its answer is known."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One request and how it was answered."""

    at: datetime
    user: str
    manager: str
    """The field manager of a write; of a read the first word of its User-Agent."""
    verb: str
    method: str
    path: str
    resource: str
    """Such as `pods` or `leases.coordination.k8s.io`; empty for paths that are no resource."""
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    code: int
    content_type: str = ""
    """How the body is to be read, such as `application/json-patch+json`."""
    body: bytes = b""
    """What was sent."""
    since: int = 0
    """The newest version before it was carried out: what it did is newer."""


Audit: TypeAlias = Callable[[AuditEntry], None]
