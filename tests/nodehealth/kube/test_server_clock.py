"""What the server's clock shows is counted from the answer that said it, and from no other."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

from nodehealth.kube.exchange import Exchange
from nodehealth.kube.transport import Request, Response, Transport
from simulator import virtualtime

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dated(at: datetime) -> dict[str, str]:
    return {"date": format_datetime(at, usegmt=True)}


class Silent(Transport):
    """Carries nothing."""

    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Never be asked."""
        raise NotImplementedError


def exchange() -> Exchange:
    return Exchange(Silent(), deadline=timedelta(seconds=1), random=Random(1))


@virtualtime.played
async def test_the_clock_goes_on_from_the_last_answer() -> None:
    heard, loop = exchange(), asyncio.get_running_loop()
    heard.heard(dated(NOON), sent=loop.time())
    await asyncio.sleep(60)

    assert heard.server_now() == (
        NOON + timedelta(seconds=60),
        NOON + timedelta(seconds=61),
    )


@virtualtime.played
async def test_a_watch_that_begins_later_does_not_put_the_clock_forward() -> None:
    heard, loop = exchange(), asyncio.get_running_loop()
    heard.heard(dated(NOON), sent=loop.time())
    await asyncio.sleep(300)
    heard.heard(dated(NOON + timedelta(seconds=300)))

    now = heard.server_now()
    assert now is not None
    assert now[0] == NOON + timedelta(seconds=300)
    assert heard.server_time == NOON + timedelta(seconds=300)
