"""What the kernel complains of in its log: a table of lines, by what they are about.

Pure, and data: a line that is to be known is one entry more in one of the four tables.
"""

from collections.abc import Mapping
from typing import Final

from agent.host.complaints import hardware, network, storage, trouble
from agent.host.complaints.pattern import Complaint, Pattern

BY_TOPIC: Final[Mapping[str, tuple[Pattern, ...]]] = {
    "storage": storage.PATTERNS,
    "trouble": trouble.PATTERNS,
    "hardware": hardware.PATTERNS,
    "network": network.PATTERNS,
}
"""Each topic is kept by itself: a storm of one pushes nothing of another out."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    topic: tuple(dict.fromkeys(word for each in patterns for word in each.words))
    for topic, patterns in BY_TOPIC.items()
}
"""By topic the words one of which is in every line of it."""


def said(topic: str, text: str) -> Complaint | None:
    """Return what a line of a topic tells; the first pattern that it has is right."""
    for each in BY_TOPIC[topic]:
        if any(word in text for word in each.words) and (told := each.read(text)):
            return told
    return None
