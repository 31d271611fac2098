"""A signed message is believed by who knows the secret, while it is fresh and as it was sent."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kit import signing
from tests.builders import NOON

SECRET = b"a secret"
BODY = b'{"alerts": []}'


@given(body=st.binary(), secret=st.binary(min_size=1), late=st.integers(-300, 300))
def test_what_was_signed_is_believed_while_it_is_fresh(
    body: bytes, secret: bytes, late: int
) -> None:
    said = signing.headers(body, secret, NOON)

    assert signing.refusal(body, secret, said, NOON + timedelta(seconds=late)) == ""


@given(body=st.binary(), secret=st.binary())
def test_neither_another_body_nor_another_secret_is_believed(body: bytes, secret: bytes) -> None:
    said = signing.headers(BODY, SECRET, NOON)

    believed = signing.refusal(body, secret, said, NOON) == ""

    assert believed == (body == BODY and secret.rstrip(b"\0") == SECRET)


def test_a_message_that_is_old_is_not_believed() -> None:
    said = signing.headers(BODY, SECRET, NOON)

    later = signing.refusal(BODY, SECRET, said, NOON + timedelta(minutes=6))

    assert later == "X-Nodemend-Timestamp: expected within 300 s of 12:06:00"


def test_an_old_message_with_a_new_time_is_not_believed() -> None:
    later = NOON + timedelta(minutes=6)
    said = {
        **signing.headers(BODY, SECRET, NOON),
        signing.TIMESTAMP: signing.headers(BODY, SECRET, later)[signing.TIMESTAMP],
    }

    assert "expected the HMAC" in signing.refusal(BODY, SECRET, said, later)


def test_a_message_without_a_signature_is_not_believed() -> None:
    assert "expected the HMAC" in signing.refusal(BODY, SECRET, {}, NOON)
