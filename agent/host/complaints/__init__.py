"""What the kernel complains of in its log: a table of lines, by what they are about.

The tables are the YAML files beside this module: a line that is to be known is one entry more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.host.complaints import form, pattern
from agent.host.complaints.pattern import Complaint, Pattern

FILESYSTEM: Final = "disk.filesystem_errors"
NFS: Final = "nfs.not_responding"
DOWN: Final = "down"
"""What the state of a file server is from its first such line on."""
HUNG: Final = "kernel.hung_tasks"

TABLES: Final = Path(__file__).parent
BY_TOPIC: Final[Mapping[str, tuple[Pattern, ...]]] = {
    topic: pattern.read(TABLES / f"{topic}.yaml")
    for topic in ("storage", "trouble", "hardware", "network")
}
"""Each topic is kept by itself: a storm of one pushes nothing of another out."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    topic: form.words(patterns) for topic, patterns in BY_TOPIC.items()
}
"""By topic the words one of which is in every line of it."""


def said(topic: str, text: str) -> Complaint | None:
    """Return what a line of a topic tells; the first pattern that it has is right."""
    for each in BY_TOPIC[topic]:
        if told := each.read(text):
            return told
    return None
