"""How long it takes from a report that makes a node sick until the node is cordoned.

Read from the API server's own log of requests: from the agent's write that was answered last before
the rule's own wait began, until the remediator's patch of the Node. The wait itself, in which the
rule wants to see whether the fault lasts, is not counted.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.fence import Hold
from simulator.api.audit import AuditEntry

_HEALTHS: Final = f"nodehealths.{keys.GROUP}"
_CORDONED: Final = f":{Hold.CORDONED}".encode()


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles over all cordons that a report led to, in milliseconds."""

    samples: int = 0
    p50: float | None = None
    p99: float | None = None


class Stopwatch:
    """Listens to the API server's log.

    Args:
        remediator: The name of the user that the remediator is to the API server.
    """

    def __init__(self, remediator: str) -> None:
        self._remediator = remediator
        self._reports: defaultdict[str, list[datetime]] = defaultdict(list)
        self._cordons: dict[tuple[str, int], datetime] = {}

    def hear(self, entry: AuditEntry) -> None:
        """Take in one request that was answered."""
        if entry.code >= 300 or entry.verb not in {"create", "patch", "update"}:
            return
        if entry.resource == _HEALTHS:
            self._reports[entry.name].append(entry.at)
        elif self._is_cordon(entry):
            count = sum(node == entry.name for node, _ in self._cordons)
            self._cordons[entry.name, count] = entry.at

    def _is_cordon(self, entry: AuditEntry) -> bool:
        ours = entry.resource == "nodes" and entry.user == self._remediator
        return ours and _CORDONED in entry.body and b"unschedulable" in entry.body

    def spans(self, waits: Mapping[str, timedelta]) -> list[timedelta]:
        """Return the span of each first cordon of a node, by how long its rule waits."""
        found = []
        for node, wait in waits.items():
            cordon = self._cordons.get((node, 0))
            reports = self._reports[node]
            at = bisect_right(reports, cordon - wait) if cordon is not None else 0
            if cordon is not None and at:
                found.append(cordon - wait - reports[at - 1])
        return found


def measured(spans: Sequence[timedelta]) -> Latency:
    """Sum spans up."""
    if not spans:
        return Latency()
    ordered = sorted(each.total_seconds() * 1000 for each in spans)
    return Latency(samples=len(ordered), p50=_quantile(ordered, 0.5), p99=_quantile(ordered, 0.99))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share does not exceed."""
    at = min(len(ordered) - 1, max(0, -(-round(share * 1000) * len(ordered) // 1000) - 1))
    return round(ordered[at], 1)
