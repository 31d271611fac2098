"""Each answer of the API server is the error that says what to do next."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kube import errors, status
from nodehealth.kube.transport import Request
from tests.nodehealth.kube.fakes import Answer, failure

GET = Request(method="GET", path="/api/v1/nodes/a")
PATCH = Request(
    method="PATCH", path="/api/v1/nodes/a", headers={"content-type": "application/json-patch+json"}
)
MERGE = Request(
    method="PATCH", path="/api/v1/nodes/a", headers={"content-type": "application/merge-patch+json"}
)
EVICT = Request(method="POST", path="/api/v1/namespaces/n/pods/p/eviction")
NOT_APPLIED = "the server rejected our request due to an error in our request"
TWO_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, "
    "which the eviction subresource does not support."
)


async def meant(request: Request, answer: Answer) -> errors.KubeError:
    return status.error(request, answer.status, answer.headers, await answer.read())


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        (GET, failure(400, "BadRequest"), errors.InvalidError),
        (GET, failure(401, "Unauthorized"), errors.UnauthorizedError),
        (GET, failure(403, "Forbidden"), errors.ForbiddenError),
        (GET, failure(404, "NotFound"), errors.GoneError),
        (MERGE, failure(409, "Conflict"), errors.ConflictError),
        (EVICT, failure(409, "AlreadyExists"), errors.ConflictError),
        (GET, failure(410, "Expired"), errors.ExpiredError),
        (MERGE, failure(415, "UnsupportedMediaType"), errors.InvalidError),
        (PATCH, failure(422, "Invalid", NOT_APPLIED), errors.TestFailedError),
        (PATCH, failure(422, "Invalid", "spec", causes=[{"field": "x"}]), errors.InvalidError),
        (PATCH, failure(422, "Invalid", "denied", kind="nodes"), errors.InvalidError),
        (MERGE, failure(422, "Invalid", NOT_APPLIED), errors.InvalidError),
        (EVICT, failure(429, "TooManyRequests"), errors.BlockedError),
        (EVICT, failure(500, "", TWO_BUDGETS), errors.BudgetConflictError),
        (EVICT, failure(500, "InternalError", f"Error: {TWO_BUDGETS}"), errors.BudgetConflictError),
        (GET, failure(500, "InternalError"), errors.UnavailableError),
        (GET, failure(504, "Timeout"), errors.UnavailableError),
        (MERGE, failure(504, "Timeout"), errors.OutcomeUnknownError),
        (MERGE, failure(503, "ServiceUnavailable"), errors.OutcomeUnknownError),
        (GET, Answer(502, b"<html>Bad Gateway</html>"), errors.UnavailableError),
        (GET, Answer(302, b""), errors.UnavailableError),
        (MERGE, Answer(403, b"<html>the proxy says no</html>"), errors.UnavailableError),
    ],
)
async def test_an_answer_means(
    request_: Request, answer: Answer, expected: type[errors.KubeError]
) -> None:
    assert type(await meant(request_, answer)) is expected


async def test_a_kind_that_is_not_served_is_not_an_object_that_is_gone() -> None:
    error = await meant(GET, Answer(404, b"404 page not found\n"))

    assert isinstance(error, errors.UnavailableError)
    assert "404 page not found" in str(error)


async def test_a_namespace_that_goes_away_is_told_from_missing_rights() -> None:
    causes = [{"reason": "NamespaceTerminating", "message": "…", "field": "metadata.namespace"}]

    error = await meant(EVICT, failure(403, "Forbidden", causes=causes))

    assert isinstance(error, errors.NamespaceTerminatingError)


async def test_a_spent_budget_says_which_and_leaves_the_wait_to_us() -> None:
    said = "The disruption budget zk needs 3 healthy pods and has 3 currently"
    causes = [{"reason": "DisruptionBudget", "message": said}]

    error = await meant(EVICT, failure(429, "TooManyRequests", "Cannot evict pod", causes=causes))

    assert isinstance(error, errors.BlockedError)
    assert (error.budget, error.retry_after) == (said, None)


@pytest.mark.parametrize(
    "answer",
    [
        failure(429, "TooManyRequests", retryAfterSeconds=10),
        Answer(429, b"Too many requests, please try again later.", headers={"retry-after": "10"}),
    ],
)
async def test_a_wait_is_read_from_the_status_or_the_header(answer: Answer) -> None:
    error = await meant(EVICT, answer)

    assert isinstance(error, errors.BlockedError)
    assert (error.budget, error.retry_after) == ("", timedelta(seconds=10))


@given(st.integers(300, 599), st.binary(max_size=600), st.sampled_from([GET, PATCH, EVICT]))
def test_whatever_comes_has_a_name_and_a_length(code: int, body: bytes, request: Request) -> None:
    error = status.error(request, code, {"retry-after": "soon"}, body)

    assert len(str(error)) <= 256
    assert request.path in str(error)
