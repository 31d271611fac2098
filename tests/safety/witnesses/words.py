"""What people write on a Node to hold it back, as docs/people.md has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nodehealth import keys
from nodehealth.kube.objects import Node


@dataclass(slots=True)
class Words:
    """Knows since when each Node says what it says."""

    _said: dict[str, tuple[datetime, Mapping[str, str]]] = field(default_factory=dict)

    def see(self, name: str, node: Node | None, now: datetime) -> None:
        """Take in a Node as it is from now on."""
        meta = node.metadata if node is not None else None
        marks = {**meta.labels, **meta.annotations} if meta is not None else {}
        said = {key: marks[key] for key in (keys.SKIP, keys.PAUSE) if key in marks}
        if said != self._said.get(name, (now, {}))[1]:
            self._said[name] = now, said

    def why(self, name: str, now: datetime, grace: timedelta) -> str:
        """Say what has held a node back for longer than anybody may not know; empty if nothing."""
        since, said = self._said.get(name, (now, {}))
        if now - since < grace:
            return ""
        holding = (f"{key} is on it" for key, text in said.items() if _holds(key, text, now))
        return next(holding, "")


def _holds(key: str, text: str, now: datetime) -> bool:
    if text.lower() == "false":
        return False
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return True
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return key == keys.SKIP or now < until
