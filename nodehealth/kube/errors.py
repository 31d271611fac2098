"""What can go wrong between us and the API server, named by what the caller can do about it.

KubeError
├── GoneError             404: it is not there; take that as a fact
├── ConflictError         409: it changed or exists; read again, decide again
├── TestFailedError       422 of a JSON patch: it did not apply; somebody moved on
├── InvalidError          other 4xx, 422: we asked for nonsense; fix nodemend
├── ForbiddenError        403: we may not; a person must change rights
│   ├── UnauthorizedError           401: we are not known; a person must change credentials
│   └── NamespaceTerminatingError   403: the namespace and all in it are going; wait
├── ExpiredError          410: the version is compacted away; list again
├── BlockedError          429: not now; wait as told (a disruption budget, or overload)
├── BudgetConflictError   500 of an eviction: several budgets match; their owner must mend them
├── UnreadableError       done, but the answer does not fit our types: another version wrote it
├── SettingsError         the way to the server is described wrongly; a person must mend that
└── UnavailableError      the server is away; back off and try again
├── UnreachableError      nothing was sent
└── OutcomeUnknownError   sent, no clear answer: it may have happened; read, then repeat
"""

from datetime import timedelta


class KubeError(Exception):
    """Anything that went wrong at the API server's door."""


class GoneError(KubeError):
    """The object is not there."""


class ConflictError(KubeError):
    """The object changed since it was read, exists already, or has another UID."""


class TestFailedError(KubeError):
    """A JSON patch did not apply: one of its tests does not hold, or a path is missing."""

    __test__ = False  # pytest: this is no test


class InvalidError(KubeError):
    """The server refused what was asked as malformed or against the schema."""


class ForbiddenError(KubeError):
    """We are not allowed, or not known."""


class UnauthorizedError(ForbiddenError):
    """The server does not know who we are."""


class NamespaceTerminatingError(ForbiddenError):
    """The namespace is being deleted: nothing can be made in it, and its pods go anyway."""


class ExpiredError(KubeError):
    """The resource version asked for is no longer kept."""


class BlockedError(KubeError):
    """Not now: a disruption budget is spent or the server is overloaded."""

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, budget: str = ""
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.budget = budget
        """What the server says of the budget that blocks an eviction; empty when it is overload."""


class BudgetConflictError(KubeError):
    """More than one disruption budget selects the pod; the API cannot evict it."""


class UnreadableError(KubeError):
    """The request was carried out, but the answer does not fit our types."""


class SettingsError(KubeError):
    """The way to the API server is described wrongly."""


class UnavailableError(KubeError):
    """The server is away or in trouble."""


class UnreachableError(UnavailableError):
    """Nothing was sent."""


class OutcomeUnknownError(UnavailableError):
    """Sent, and no clear answer came: it may have happened."""
