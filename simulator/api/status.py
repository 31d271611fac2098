"""What the API server says when it refuses: Status objects, in the real one's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simulator.api.wire import JsonObject

REFUSED_IN_OUR_REQUEST: Final = "the server rejected our request due to an error in our request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason out of several: what is wrong with which field."""

    reason: str
    message: str
    field: str = ""

    def wire(self) -> JsonObject:
        """Return the cause as Status details carry it."""
        cause = {"reason": self.reason, "message": self.message}
        return {**cause, "field": self.field} if self.field else cause


class StatusError(Exception):
    """A request is refused with a Status."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.more: JsonObject = {}
        """What stands in the Status' own metadata."""

    @property
    def retry_after(self) -> int:
        """How many seconds the client is told to wait; 0 is not told."""
        return int((self.details or {}).get("retryAfterSeconds", 0))

    def wire(self) -> JsonObject:
        """Return the Status as it is sent."""
        return status(
            code=self.code,
            outcome="Failure",
            reason=self.reason,
            message=self.message,
            details=self.details,
            metadata=self.more,
        )


def status(
    *,
    code: int,
    outcome: str,
    reason: str = "",
    message: str = "",
    details: JsonObject | None = None,
    metadata: JsonObject | None = None,
) -> JsonObject:
    """Build a Status; what is empty is left out, as the real server does."""
    fields = {"status": outcome, "message": message, "reason": reason, "details": details}
    kept = {key: value for key, value in fields.items() if value or key == "details"}
    if details is None:
        kept.pop("details", None)
    return {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, **kept, "code": code}


def success(details: JsonObject | None = None, *, code: int = 200) -> JsonObject:
    """Build the Status of a request that was done and has no object to show."""
    return status(code=code, outcome="Success", details=details)


def _about(resource: str, name: str, **more: object) -> JsonObject:
    plural, _, group = resource.partition(".")
    found = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in {**found, **more}.items() if value}


def not_found(resource: str, name: str) -> StatusError:
    """404: there is no such object."""
    message = f'{resource} "{name}" not found'
    return StatusError(404, "NotFound", message, details=_about(resource, name))


def no_such_path() -> StatusError:
    """404: the path leads to nothing this server knows."""
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message, details={})


def already_exists(resource: str, name: str) -> StatusError:
    """409: there is an object of that name."""
    message = f'{resource} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_about(resource, name))


def conflict(resource: str, name: str, why: str) -> StatusError:
    """409: the object is not what the client took it for."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=_about(resource, name))


def stale(resource: str, name: str) -> StatusError:
    """409: the object was changed since the client read it."""
    why = (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    return conflict(resource, name, why)


def invalid(group_kind: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """422: the object breaks rules; every broken one is a cause."""
    lines = [
        f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes
    ]
    said = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    kind, _, group = group_kind.partition(".")
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [cause.wire() for cause in causes],
    }
    kept = {key: value for key, value in details.items() if value}
    return StatusError(422, "Invalid", f'{group_kind} "{name}" is invalid: {said}', details=kept)


def unprocessable() -> StatusError:
    """422: a JSON patch that cannot be applied, a failed `test` included."""
    return StatusError(422, "Invalid", REFUSED_IN_OUR_REQUEST, details={})


def bad_request(message: str) -> StatusError:
    """400: the request makes no sense."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: nobody knows the caller."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, name: str, why: str, *, causes: Sequence[Cause] = ()) -> StatusError:
    """403: the server knows what is asked and will not do it."""
    details = _about(resource, name, causes=[cause.wire() for cause in causes])
    return StatusError(
        403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', details=details
    )


def expired(message: str) -> StatusError:
    """410: the version asked for is compacted away."""
    return StatusError(410, "Expired", message)


def too_many_requests(message: str, *, seconds: int, causes: Sequence[Cause]) -> StatusError:
    """429: not now; with a time to wait if the server knows one."""
    details: JsonObject = {"causes": [cause.wire() for cause in causes]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    return StatusError(429, "TooManyRequests", message, details=details)


def not_allowed() -> StatusError:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, details={})


def unsupported_media(accepted: Sequence[str]) -> StatusError:
    """415: the body is in a form that this resource does not take."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return StatusError(415, "UnsupportedMediaType", message)


def internal(message: str) -> StatusError:
    """500 without a reason: the server met something it has no words for."""
    return StatusError(500, "", message)


def timed_out(message: str, *, seconds: int) -> StatusError:
    """504: the server gave up; the client may try again after some seconds."""
    details = {"retryAfterSeconds": seconds} if seconds else {}
    return StatusError(504, "Timeout", f"Timeout: {message}", details=details)


def read(value: JsonObject) -> StatusError:
    """Read a refusal back from the Status that was sent."""
    return StatusError(
        int(value.get("code", 500)),
        str(value.get("reason", "")),
        str(value.get("message", "")),
        details=value.get("details"),
    )
