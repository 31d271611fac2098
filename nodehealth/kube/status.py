"""Which of our errors an answer of the API server means."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from nodehealth.kube import errors
from nodehealth.kube.objects import Struct
from nodehealth.kube.requests import JSON_PATCH
from nodehealth.kube.transport import Request

_LONGEST_WAIT: Final = 300
"""In seconds: nobody is silenced for longer by one answer."""
_LONGEST_MESSAGE: Final = 512
_BY_CODE: Final[Mapping[int, type[errors.KubeError]]] = {
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.GoneError,
    409: errors.ConflictError,
    410: errors.ExpiredError,
}


class Cause(Struct, frozen=True, kw_only=True):
    """One reason among several."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(Struct, frozen=True, kw_only=True):
    """What the failure is about."""

    kind: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """The API server's word on a request that failed."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details = Details()


def read(body: bytes) -> Status | None:
    """Read a Status, or return None where somebody else answered: a proxy, a load balancer."""
    try:
        found = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        return None
    return found if found.kind == "Status" else None


def error(request: Request, code: int, headers: Mapping[str, str], body: bytes) -> errors.KubeError:
    """Name the error that a failed request means to its caller."""
    status = read(body)
    if status is not None:
        return meaning(request, code, status, headers)
    text = " ".join(body.decode(errors="replace").split())
    if code == 429:  # an overloaded API server answers in plain text
        return _blocked(said(request, f"{code} {text}"), Details(), headers)
    return _away(request, code, said(request, f"{code} without a Status: {text}"))


def meaning(
    request: Request, code: int, status: Status, headers: Mapping[str, str]
) -> errors.KubeError:
    """Name the error that a Status means."""
    text = said(request, f"{code} {status.reason}: {status.message}")
    if code == 429:
        return _blocked(text, status.details, headers)
    if code == 403 and _caused_by(status.details, "NamespaceTerminating"):
        return errors.NamespaceTerminatingError(text)
    if code == 422 and _is_failed_test(request, status):
        return errors.TestFailedError(text)
    if code == 500 and "more than one PodDisruptionBudget" in status.message:
        return errors.BudgetConflictError(text)
    if code in _BY_CODE:
        return _BY_CODE[code](text)
    return errors.InvalidError(text) if 400 <= code < 500 else _away(request, code, text)


def said(request: Request, text: str) -> str:
    """Put a request before what was said of it, cut to a length that no log minds."""
    return f"{request.method} {request.path}: {text}"[:_LONGEST_MESSAGE]


def _is_failed_test(request: Request, status: Status) -> bool:
    """Tell a patch that did not apply from one whose result breaks the schema.

    The API server gives the former no details at all (a path that is missing looks the same).
    """
    json_patch = request.headers.get("content-type") == JSON_PATCH
    return json_patch and not status.details.causes and not status.details.kind


def _blocked(text: str, details: Details, headers: Mapping[str, str]) -> errors.BlockedError:
    after = headers.get("retry-after", "")
    seconds = int(after) if after.isdigit() else details.retry_after_seconds
    budget = [each.message for each in details.causes if each.reason == "DisruptionBudget"]
    return errors.BlockedError(
        text,
        retry_after=timedelta(seconds=min(seconds, _LONGEST_WAIT)) if seconds else None,
        budget="; ".join(budget)[:_LONGEST_MESSAGE],
    )


def _caused_by(details: Details, reason: str) -> bool:
    return any(cause.reason == reason for cause in details.causes)


def _away(request: Request, code: int, text: str) -> errors.UnavailableError:
    """Doubt every write: etcd may have stored what it, or a proxy before it, gave up on."""
    harmless = request.method == "GET" or code < 500 or code == 501
    return errors.UnavailableError(text) if harmless else errors.OutcomeUnknownError(text)
