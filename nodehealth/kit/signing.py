"""Who sent a message, and when: an HMAC over its time and its body, in two headers.

The time is signed with the body, so that a message that was overheard can't be sent again later.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

SIGNATURE: Final = "X-Nodemend-Signature"
"""`sha256=` and the HMAC-SHA256, in hexadecimal digits, of the time, a full stop and the body."""
TIMESTAMP: Final = "X-Nodemend-Timestamp"
"""The time of signing, in whole seconds since 1970."""
FRESH: Final = timedelta(minutes=5)
"""How old a message may be, and how far ahead its sender's clock."""


def headers(body: bytes, secret: bytes, at: datetime) -> Mapping[str, str]:
    """Sign a body: return the headers to send with it."""
    stamp = str(int(at.timestamp()))
    return {TIMESTAMP: stamp, SIGNATURE: _signature(body, secret, stamp)}


def refusal(body: bytes, secret: bytes, said: Mapping[str, str], now: datetime) -> str:
    """Say why a message that came with these headers is not to be believed; nothing if it is."""
    stamp, signature = said.get(TIMESTAMP, ""), said.get(SIGNATURE, "")
    genuine = _signature(body, secret, stamp)
    if not hmac.compare_digest(signature.encode(), genuine.encode()):
        return f"{SIGNATURE}: expected the HMAC of {TIMESTAMP} and the body under our secret"
    if not stamp.isdigit() or abs(now.timestamp() - int(stamp)) > FRESH.total_seconds():
        return f"{TIMESTAMP}: expected within {FRESH.total_seconds():g} s of {now:%H:%M:%S}"
    return ""


def _signature(body: bytes, secret: bytes, stamp: str) -> str:
    signed = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
