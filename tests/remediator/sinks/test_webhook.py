"""A webhook gets alerts as JSON, signed, each with a key by which a repeat can be told."""

from pathlib import Path

import msgspec
import pytest

from nodehealth.kit import signing
from remediator.decide import alerts
from remediator.files import sink
from remediator.rules.alerting import Alerting
from remediator.sinks import DeliveryError
from tests.builders import NOON, repair
from tests.remediator.sinks.conftest import Mailbox

URL = "https://x.example/hook"
ALERT = alerts.of_repair(repair(), Alerting(), "docs/x.md", NOON)


async def test_alerts_are_posted_in_one_message() -> None:
    box = Mailbox(now=NOON)

    await sink("webhook", {"url": URL}).send([ALERT], box.outside())

    (letter,) = box.letters
    assert letter.url == URL
    assert msgspec.json.decode(letter.body) == {
        "version": "v1",
        "sentAt": "2026-01-01T12:00:00Z",
        "alerts": [
            {
                "key": ALERT.key,
                "fingerprint": ALERT.fingerprint,
                "state": "firing",
                "severity": "info",
                "needsPerson": False,
                "labels": ALERT.all_labels(),
                "summary": ALERT.summary,
                "description": ALERT.description,
                "runbook": "docs/x.md",
                "startsAt": "2026-01-01T12:00:00Z",
                "endsAt": None,
            }
        ],
    }


async def test_the_same_alerts_have_the_same_key_whenever_they_are_posted() -> None:
    early, late = Mailbox(now=NOON), Mailbox(now=NOON.replace(hour=13))
    hook = sink("webhook", {"url": URL})

    for box in (early, late):
        await hook.send([ALERT], box.outside())

    keys = {box.letters[0].headers["Idempotency-Key"] for box in (early, late)}
    assert len(keys) == 1
    assert early.letters[0].body != late.letters[0].body


async def test_who_knows_the_secret_can_tell_that_it_is_from_us(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    box = Mailbox(now=NOON)
    hook = sink("webhook", {"url": URL, "secretFile": str(tmp_path / "secret")})

    await hook.send([ALERT], box.outside())

    (letter,) = box.letters
    assert signing.refusal(letter.body, b"hush", letter.headers, NOON) == ""


async def test_a_secret_that_can_not_be_read_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    box = Mailbox(now=NOON)
    hook = sink("webhook", {"url": URL, "secretFile": str(tmp_path / "secret")})

    with pytest.raises(DeliveryError, match="expected the webhook's secret, No such file"):
        await hook.send([ALERT], box.outside())

    assert box.letters == []
