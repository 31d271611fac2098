"""What became of the NVML worker, in numbers that only grow."""

from collections import Counter
from collections.abc import Sequence


class Counts:
    """Numbers that only the supervisor adds to."""

    def __init__(self) -> None:
        self.slow = 0
        """Batches that took longer than the soft deadline."""
        self.starts = 0
        self.abandoned = 0
        """Workers that were left alone because they sleep where nothing can end them."""
        self.killed = 0
        """Workers that did not end by themselves, though something could end them."""
        self.died = 0
        """Workers that ended without being told to."""
        self.event_sets_lost = 0
        """How often NVML gave up telling events."""
        self.batches = Counter[str]()
        """By the slowest tier in them."""
        self.seconds: dict[str, float] = {}
        """How long they took, all together."""
        self.latency = 0
        """The longest that NVML said any field took in the last batch, in microseconds."""

    def sampled(self, tiers: Sequence[str], seconds: float, latency: int) -> None:
        """Count a batch by the dearest tier in it: the last."""
        tier = tiers[0] if tiers[0] == "once" else tiers[-1]
        self.batches[tier] += 1
        self.seconds[tier] = self.seconds.get(tier, 0.0) + seconds
        self.latency = latency
