"""Whether the machine booted because somebody wanted it to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from agent import lastboot
from agent.host import boots
from agent.host.boots import Ending
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.lastboot import LastBoot
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Gap, Occurrence

UNCLEAN: Final = "kernel.unclean_boot"

_SOURCE: Final = "boot"
"""A stream of one: each boot has one beginning."""
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Boots(Probe):
    """Looks for how the boot before this one ended."""

    interval: timedelta = timedelta(minutes=10)
    """How often: what was kept of a crash may be found some minutes after the boot."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say that the machine crashed, dated to this boot's beginning."""
        last, gaps = lastboot.remembered(past), await _kept(host)
        ending = await host.ask("last boot", partial(boots.ended, is_known=last is not None))
        began = host.now() - timedelta(seconds=await host.uptime())
        if not _is_unclean(ending, last, began):
            return [*lastboot.memos(last), *gaps]
        named = ", ".join(ending.records[:_MOST_NAMED])
        why = "panic" if named else "no shutdown"
        fields = {"why": why, "records": named, "boot": last.boot_id if last else ""}
        crash = Occurrence(name=UNCLEAN, at=began, source=_SOURCE, position=1, fields=fields)
        return [crash, *lastboot.memos(last), *gaps]


async def _kept(host: Host) -> Sequence[Gap]:
    """Keep what the kernel left; say so if that fails."""
    try:
        await host.keep_records()
    except (OSError, HungError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else str(failure)
        return [Gap(why=f"what the kernel left of a crash is not kept: {why}")]
    return []


def _is_unclean(ending: Ending, last: LastBoot | None, began: datetime) -> bool:
    """Believe what was written down of an end; of one of which nothing was, what was left."""
    is_orderly = ending.is_orderly
    if is_orderly is None and last is not None:
        is_orderly = last.was_orderly(began)
    return bool(ending.records) if is_orderly is None else not is_orderly
