"""Takes rules and policy in anew when their files change; a broken edit never replaces a good one.

The files are looked at every few seconds, which also sees a ConfigMap whose link is swapped. What
was edited is only taken when two looks found it the same, so that nobody meets one half of it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NoReturn

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kit.settings import SettingsError
from remediator.files import Loaded
from remediator.rules.documents import ProblemsError

logger = logging.getLogger(__name__)

_INTERVAL: Final = timedelta(seconds=5)
_DEADLINE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rules and policy come from; it is asked in a thread."""

    fingerprint: Callable[[], str]
    """Tells one state of the files from another."""
    read: Callable[[], Loaded]
    """Raises ProblemsError if they can't be used; whatever else it raises refuses them too."""
    used: str
    """The fingerprint of what is in use."""
    hurried: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody says that an edit is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it went when the files were last taken in, or should have been."""

    at: datetime
    problem: str = ""
    """All that is wrong with them; nothing when they are in use."""


class Reload:
    """Watches the files of rules and policy.

    Args:
        source: Where they come from.
        use: Is given what is good, to use it from now on.
        broken: Is told all that is wrong with an edit, or with nothing that all is well again.
        clock: The present time.
    """

    def __init__(
        self,
        source: Source,
        *,
        use: Callable[[Loaded], None],
        broken: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._source, self._use, self._broken, self._clock = source, use, broken, clock
        self._used, self._seen, self._refused = source.used, source.used, ""
        self.outcome = Outcome(at=clock())

    async def run(self) -> NoReturn:
        """Look every few seconds, until cancelled; what goes wrong is logged and tried again."""
        hurry = self._source.hurried
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL.total_seconds()):
                    await hurry.wait()
            hurried = hurry.is_set()
            hurry.clear()
            await loops.survived(
                partial(self.look, hurried=hurried),
                name="the look at the rules",
                deadline=_DEADLINE,
            )

    async def look(self, *, hurried: bool = False) -> None:
        """Look once, and take in what changed; unless hurried, only once it stays the same."""
        now = await asyncio.to_thread(self._source.fingerprint)
        settled = hurried or now == self._seen
        self._seen = now
        if now == self._used:
            self._as_before(hurried=hurried)
        elif settled and (hurried or now != self._refused):
            await self._take(now)

    def _as_before(self, *, hurried: bool) -> None:
        if self._refused:
            self._refused, self.outcome = "", Outcome(at=self._clock())
            logger.info("rules and policy are again those that are in use")
            self._broken("")
        elif hurried:
            logger.info("rules and policy have not changed")

    async def _take(self, fingerprint: str) -> None:
        loaded = await loops.attempted(partial(asyncio.to_thread, self._source.read))
        if await asyncio.to_thread(self._source.fingerprint) != fingerprint:
            return  # they changed while they were read: the next look finds them whole
        if isinstance(loaded, Exception):
            self._refuse(fingerprint, loaded)
            return
        self._used, self._refused, self.outcome = fingerprint, "", Outcome(at=self._clock())
        rules, policy = loaded.rules, loaded.policy
        logger.info("took in %d rules (%s), %s", len(rules.rules), rules.digest, policy.mode)
        self._use(loaded)
        self._broken("")

    def _refuse(self, fingerprint: str, wrong: Exception) -> None:
        foreseen = isinstance(wrong, ProblemsError | SettingsError)
        problem = str(wrong) if foreseen else f"they can't be read: {type(wrong).__name__}: {wrong}"
        self._refused = fingerprint
        self.outcome = Outcome(at=self._clock(), problem=problem)
        logger.error(
            "an edit can't be used, and the rules before it still hold:\n%s",
            problem,
            exc_info=None if foreseen else wrong,
        )
        self._broken(problem)
