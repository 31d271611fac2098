"""What a cluster sees of the agent itself: metrics, and whether it lives; for those who listen."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

from agent import buckets, exposition, state
from agent.exposition import Kind, Metric, Sample
from agent.host.kmsg import KernelLog
from agent.host.nvml.counts import Counts
from agent.state import State
from agent.tally import Obstacle, Tally
from nodehealth.health import ProbeState
from nodehealth.kit import web
from nodehealth.kit.pulse import Pulse

_PREFIX: Final = "nodemend_agent"

Known = Callable[[], State]


@contextlib.asynccontextmanager
async def exposed(
    listen: str,
    *,
    tally: Tally,
    known: Known,
    pulse: Pulse,
    kernel_log: KernelLog | None = None,
) -> AsyncIterator[web.Address]:
    """Answer `/metrics`, `/healthz` and `/readyz` within the context.

    The agent lives while its event loop turns: a probe that hangs, or an API server that is away,
    is no reason to start it anew. It is ready once every probe has been asked.

    Raises:
        nodehealth.kit.settings.SettingsError: the address is none, or cannot be listened on.
    """
    numbers = Numbers(tally, known, kernel_log)
    async with web.serve(
        web.address(listen),
        metrics=lambda _: (exposition.text(numbers.collect()), exposition.FORMAT),
        healthy=pulse.missing,
        ready=lambda: unready(known()),
    ) as bound:
        yield bound


def unready(known: State) -> str:
    """Say which probes have not been asked yet; nothing when all have."""
    waiting = sorted(
        name for name, report in known.reports.items() if report.state is ProbeState.STARTING
    )
    return f"not asked yet: {', '.join(waiting)}" if waiting else ""


class Numbers:
    """The agent's metrics, read from what it counts anyway."""

    def __init__(self, tally: Tally, known: Known, kernel_log: KernelLog | None = None) -> None:
        self._tally, self._known, self._log = tally, known, kernel_log

    def collect(self) -> Iterator[Metric]:
        """Give every metric as it is now; the probes and states are those that the agent has."""
        yield self._states()
        yield self._looks()
        yield self._seconds()
        yield from self._reports()
        yield self._left_out()
        yield _counter("state_saves", "Writes of the state file.", self._tally.saves)
        yield _counter(
            "state_save_failures", "Writes of the state file that failed.", self._tally.saves_failed
        )
        if self._log is not None:
            yield from _of_log(self._log)
            yield self._suppressed()
        if self._tally.nvml is not None:
            yield from _nvml(self._tally.nvml)

    def _states(self) -> Metric:
        return _metric(
            Kind.GAUGE,
            "probe_state",
            "1 for the state that a probe is in, 0 for the others.",
            *(
                Sample(value=report.state is each, labels={"probe": name, "state": each.value})
                for name, report in sorted(self._known().reports.items())
                for each in ProbeState
            ),
        )

    def _looks(self) -> Metric:
        return _metric(
            Kind.COUNTER,
            "probe_looks_total",
            "How often a probe was asked, by how it fared.",
            *(
                Sample(value=count, labels={"probe": name, "state": how.value})
                for (name, how), count in sorted(self._tally.looks.items())
            ),
        )

    def _seconds(self) -> Metric:
        looks, seconds = self._tally.looks, self._tally.seconds
        counts = {name: sum(looks[name, each] for each in ProbeState) for name in seconds}
        about = "How long a probe takes."
        return _summary("probe_duration_seconds", about, "probe", counts, seconds)

    def _reports(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counter("report_writes", "Reports that were written.", tally.writes)
        yield _metric(
            Kind.COUNTER,
            "report_failures_total",
            "Reports that could not be written, by what was in the way.",
            *(Sample(value=tally.failures[e], labels={"reason": e.value}) for e in Obstacle),
        )
        yield _gauge("report_bytes", "Size of the last report.", tally.size)
        at = tally.written_at.timestamp() if tally.written_at else 0.0
        yield _gauge("report_written_timestamp_seconds", "When it was written.", at)

    def _suppressed(self) -> Metric:
        known = self._known()
        counts = Counter[str]()
        for probe in known.memos:
            counts.update(buckets.suppressed(state.past(known, probe)))
        return _metric(
            Kind.COUNTER,
            "kmsg_suppressed_total",
            "Lines of the kernel's log that were counted, but not told one by one.",
            *(Sample(value=n, labels={"pattern": name}) for name, n in sorted(counts.items())),
        )

    def _left_out(self) -> Metric:
        return _metric(
            Kind.GAUGE,
            "report_left_out",
            "What the last report lacks because it would have been too large.",
            *(Sample(value=n, labels={"part": part}) for part, n in self._tally.left_out.items()),
        )


def _of_log(log: KernelLog) -> Iterator[Metric]:
    yield _counter("kmsg_records", "Records of the kernel's log that were read.", log.lines)
    about = "Records of the kernel's log that were lost before they were counted."
    yield _counter("kmsg_lost", about, log.losses.count)
    yield _counter("kmsg_strange", "Lines in its place that are no records.", log.strange)
    yield _counter("kmsg_reopens", "How often it had to be opened again.", log.reopens)


def _nvml(counts: Counts) -> Iterator[Metric]:
    yield _counter("nvml_slow_batches", "Batches of NVML calls over 10 s.", counts.slow)
    yield _counter("nvml_worker_starts", "Starts of the process that asks NVML.", counts.starts)
    yield _metric(
        Kind.COUNTER,
        "nvml_worker_failures_total",
        "Ends of that process that nobody wanted, by what became of it.",
        *(
            Sample(value=getattr(counts, reason), labels={"reason": reason})
            for reason in ("abandoned", "killed", "died")
        ),
    )
    about = "How often NVML stopped telling events."
    yield _counter("nvml_event_sets_lost", about, counts.event_sets_lost)
    about = "How long a batch of calls to one GPU takes, by the dearest of them."
    yield _summary("nvml_batch_seconds", about, "tier", counts.batches, counts.seconds)
    about = "The longest that NVML took for one field in the last batch, as it says."
    yield _gauge("nvml_field_latency_seconds", about, counts.latency / 1e6)


def _metric(kind: Kind, noun: str, about: str, *samples: Sample) -> Metric:
    return Metric(name=f"{_PREFIX}_{noun}", about=about, kind=kind, samples=samples)


def _counter(noun: str, about: str, value: float) -> Metric:
    return _metric(Kind.COUNTER, f"{noun}_total", about, Sample(value=value))


def _gauge(noun: str, about: str, value: float) -> Metric:
    return _metric(Kind.GAUGE, noun, about, Sample(value=value))


def _summary(
    noun: str, about: str, label: str, counts: Mapping[str, int], seconds: Mapping[str, float]
) -> Metric:
    samples = (
        Sample(value=value, labels={label: name}, suffix=suffix)
        for name, total in sorted(seconds.items())
        for suffix, value in (("_count", counts[name]), ("_sum", total))
    )
    return _metric(Kind.SUMMARY, noun, about, *samples)
