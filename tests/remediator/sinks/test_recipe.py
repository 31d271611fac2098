"""The recipe in docs/alerts.md by which a receiver tells a genuine message from another one."""

import re
from pathlib import Path
from typing import Protocol, cast

from nodehealth.kit import clocks, signing

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
BODY, SECRET = b'{"alerts": []}', b"hush"


class IsGenuine(Protocol):
    """What the recipe makes."""

    def __call__(self, secret: bytes, timestamp: str, signature: str, body: bytes) -> bool: ...


def recipe() -> IsGenuine:
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    made: dict[str, object] = {}
    exec(code, made)  # noqa: S102 - it is our own documentation
    return cast("IsGenuine", made["is_genuine"])


def test_a_message_of_ours_is_genuine_and_another_body_or_secret_is_not() -> None:
    said = signing.headers(BODY, SECRET, clocks.wall())
    stamp, signature = said[signing.TIMESTAMP], said[signing.SIGNATURE]
    is_genuine = recipe()

    assert is_genuine(SECRET, stamp, signature, BODY)
    assert not is_genuine(SECRET, stamp, signature, BODY + b" ")
    assert not is_genuine(b"other", stamp, signature, BODY)
    assert not is_genuine(SECRET, "0", signature, BODY)
