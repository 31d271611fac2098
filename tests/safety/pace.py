"""Counts what begins by what the API server stored, knowing nothing of buckets."""

from datetime import datetime

import msgspec

from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from remediator.rules.policy import Rate
from simulator.api.store import Change

_LEDGERS = f"{REPAIR_LEDGERS.plural}.{REPAIR_LEDGERS.group}"


class Pace:
    """Notes when each admission was stored for the first time, whoever asked for it."""

    def __init__(self) -> None:
        self.cordons: dict[int, datetime] = {}
        self.disruptions: dict[int, datetime] = {}
        """By epoch."""

    def saw(self, change: Change) -> None:
        """Take in a commit."""
        if change.resource != _LEDGERS or not change.new.body:
            return
        status = msgspec.json.decode(change.new.body, type=RepairLedger).status
        for slot in status.slots.values():
            self.disruptions.setdefault(slot.epoch, change.at)
        for epoch in status.cordons.values():
            if epoch not in self.disruptions:  # a slot may be traded for a cordon
                self.cordons.setdefault(epoch, change.at)


def hurried(begun: dict[int, datetime], rate: Rate) -> list[datetime]:
    """Return since when more began than the rate and a burst allow."""
    times = sorted(begun.values())
    return [
        start
        for start in times
        if sum(start <= each <= start + rate.per for each in times) > rate.most + rate.burst
    ]
