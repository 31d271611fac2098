"""A cloud's metadata service: what all of them have in common."""

import abc
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from agent.host.clouds import exchange
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Told

ADDRESS: Final = "http://169.254.169.254"
"""Where every one of them is; by number, so that no name server is asked."""
_OK: Final = 200


class Service(abc.ABC):
    """One metadata service. It is only read: nothing is ever acknowledged or asked for."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")

    @abc.abstractmethod
    async def bulletin(self, patience: timedelta) -> Bulletin:
        """Read all that it announces; each single request may take so long."""

    async def _get(self, path: str, headers: Mapping[str, str], patience: timedelta) -> Answer:
        return await exchange.ask(f"{self._base}{path}", headers=headers, patience=patience)


async def heard(what: str, reading: Awaitable[Told]) -> Told:
    """Return what a document says, or that it is not known, and why."""
    try:
        return await reading
    except UnclearError as unclear:
        return Told(unread=f"{what}: {unclear}")


def good(answer: Answer) -> Answer:
    """Return an answer that is one.

    Raises:
        UnclearError: it is an error, or sends us elsewhere.
    """
    if answer.status != _OK:
        raise UnclearError(f"status {answer.status}")
    return answer


def json(answer: Answer, kind: Any = Any) -> Any:  # noqa: ANN401 - JSON enters here
    """Read the body of an answer as JSON of a shape.

    Raises:
        UnclearError: it is none, as the page of a captive portal.
    """
    try:
        return msgspec.json.decode(good(answer).body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as garbage:
        raise UnclearError("not what the service says") from garbage
