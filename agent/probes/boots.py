"""Whether the machine booted because somebody wanted it to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import boots
from agent.host.boots import Ending
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Occurrence

UNCLEAN: Final = "kernel.unclean_boot"

_SOURCE: Final = "boot"
"""A stream of one: each boot has one beginning."""
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Boots(Probe):
    """Looks for how the boot before this one ended."""

    interval: timedelta = timedelta(minutes=10)
    """How often: what was kept of a crash may be found some minutes after the boot."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:  # noqa: ARG002 - files tell it
        """Say that the machine crashed, dated to this boot's beginning."""
        ending = await host.ask("last boot", boots.ended)
        if not _is_unclean(ending):
            return []
        began = host.now() - timedelta(seconds=await host.uptime())
        named = ", ".join(ending.records[:_MOST_NAMED])
        fields = {"why": "panic" if named else "no shutdown", "records": named}
        return [Occurrence(name=UNCLEAN, at=began, source=_SOURCE, position=1, fields=fields)]


def _is_unclean(ending: Ending) -> bool:
    """Believe what was written down of an end; of one of which nothing was, what was left."""
    if ending.is_orderly is None:
        return bool(ending.records)
    return not ending.is_orderly
