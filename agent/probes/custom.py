"""What checks of the operator's own say of this machine, if there are any."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from agent.host.checks.facts import Check, Result, Status
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth import quantities
from nodehealth.signals import Knowledge

CHECK: Final = "custom.check"
VALUES: Final[Mapping[Status, float]] = {Status.OK: 0.0, Status.WARNING: 1.0, Status.CRITICAL: 2.0}
REST: Final = "(more)"
"""The subject that stands for checks which are too many."""

_LONGEST_TIMEOUT: Final = timedelta(minutes=10)
_MOST_PARALLEL: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is different for one check; with a path it is one that lies elsewhere."""

    every: timedelta | None = None
    timeout: timedelta | None = None
    path: str = ""
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Probe):
    """Runs executables with the exit codes of Nagios, and rules of node-problem-detector."""

    interval: timedelta = timedelta(seconds=10)
    """How often is looked which checks are due."""
    deadline: timedelta = timedelta(seconds=20)
    """How long a look may take; a check that takes longer goes on meanwhile."""
    directory: str = "/etc/nodemend/checks.d"
    """Where the checks lie, in the agent's own filesystem; there are none where it is not."""
    every: timedelta = timedelta(minutes=1)
    """How often a check runs of which nothing else is said."""
    timeout: timedelta = timedelta(seconds=10)
    """How long such a check may take."""
    memory: str = "256Mi"
    """How much each process of a check may have."""
    parallel: int = 3
    """How many run at the same time."""
    most: int = 32
    """How many checks are run, in the order of their names: reports are small."""
    patience: timedelta = timedelta(seconds=8)
    """How long a look waits for checks that run."""
    checks: Mapping[str, Tuning] = field(default_factory=dict)
    """By name what is different for a check."""

    def __post_init__(self) -> None:
        """Refuse what no check can keep to.

        Raises:
            ValueError: a path is not absolute, or a number or a time is out of bounds.
        """
        if quantities.size(self.memory) <= 0:
            raise ValueError(f"expected memory such as 256Mi, got {self.memory!r}")
        if not 1 <= self.parallel <= _MOST_PARALLEL:
            raise ValueError(f"expected parallel from 1 to {_MOST_PARALLEL}, got {self.parallel}")
        for path in (self.directory, *(each.path for each in self.checks.values() if each.path)):
            if not path.startswith("/"):
                raise ValueError(f"expected an absolute path, got {path!r}")
        for timeout in (self.timeout, *(each.timeout for each in self.checks.values())):
            if timeout is not None and not timedelta() < timeout <= _LONGEST_TIMEOUT:
                longest = quantities.spoken(_LONGEST_TIMEOUT)
                got = quantities.spoken(timeout)
                raise ValueError(f"expected a timeout of at most {longest}, got {got}")

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Run what is due, and say what is known of every check."""
        named = [self._elsewhere(name, each) for name, each in self.checks.items() if each.path]
        there = await host.checks(self.directory, named, every=self.every, limit=self.timeout)
        distinct = _distinct(sorted((self._tuned(each) for each in there), key=_by_name))
        chosen = distinct[: self.most]
        results = await host.run(
            chosen,
            parallel=self.parallel,
            memory=quantities.size(self.memory),
            patience=self.patience,
        )
        told = [_reading(name, result, past) for name, result in results.items()]
        return [*told, *_rest(len(distinct) - len(chosen), self.most)]

    def _elsewhere(self, name: str, tuning: Tuning) -> Check:
        command = (tuning.path, *tuning.args)
        return Check(name=name, command=command, every=self.every, timeout=self.timeout)

    def _tuned(self, check: Check) -> Check:
        tuning = self.checks.get(check.name)
        if tuning is None:
            return check
        return replace(
            check,
            command=(*check.command[:1], *(tuning.args or check.command[1:])),
            every=tuning.every or check.every,
            timeout=tuning.timeout or check.timeout,
        )


def _by_name(check: Check) -> str:
    return check.name


def _distinct(checks: Sequence[Check]) -> Sequence[Check]:
    """Refuse checks of one name: nobody could tell which of them said what."""
    count = Counter(each.name for each in checks)
    first = {each.name: each for each in reversed(checks)}
    return [
        replace(first[name], refused="more than one check has this name")
        if many > 1
        else first[name]
        for name, many in count.items()
    ]


def _reading(name: str, result: Result, past: Past) -> Reading:
    """Say what a check says; the words of its first answer stay while the answer does."""
    before = past.get((CHECK, name))
    same = before is not None and before.fields.get("status") == result.status
    fields: Mapping[str, int | str] = {"status": str(result.status), "message": result.message}
    if before is not None and same:
        fields = before.fields
    value = VALUES.get(result.status)
    if value is None:
        unknown = Knowledge.UNKNOWN
        return Reading(name=CHECK, subject=name, knowledge=unknown, fields=fields, why=result.why)
    return Reading(name=CHECK, subject=name, value=value, fields=fields)


def _rest(count: int, most: int) -> Iterator[Reading]:
    if count > 0:
        why = f"{count} more than the {most} that are run; see `most`"
        yield Reading(name=CHECK, subject=REST, knowledge=Knowledge.UNKNOWN, why=why)
