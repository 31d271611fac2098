"""A rule ready to be judged by: names resolved, expressions compiled, durations read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Self, TypeAlias

from nodehealth.repair import Mode, Recovery, Rung, Severity
from nodehealth.signals import Signal
from remediator.rules.policy import BurnIn

Where: TypeAlias = Callable[[Mapping[str, object]], bool]
"""A compiled `where`; raises nodehealth.cel.EvaluationError where CEL has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to one signal."""

    signal: Signal
    where: Where
    text: str
    """The `where` as it was written, for people."""
    lasts: timedelta = timedelta()
    within: timedelta | None = None
    count: int = 1
    since: str = ""
    """The event whose last time on the same subject is that from which on things count."""
    asks_subject: bool = True
    """Whether `where` speaks of the subject; if not, all of which the same is said are alike."""
    unless: Self | None = None
    """The question to a level that excuses a subject where the answer is known and yes."""


class Combine(StrEnum):
    """Whether one yes is enough or every answer must be yes."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """The Node condition by which a fault is shown; its type says what is well while it is True."""

    type: str
    reason: str
    npd: str = ""
    """What node-problem-detector calls the fault, where that is not its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which facts mean which fault, and what mends it."""

    name: str
    about: str
    severity: Severity
    questions: tuple[Question, ...]
    combine: Combine = Combine.ANY
    ladder: tuple[Rung, ...]
    """Empty when people are told of the fault and nothing else is done about it."""
    mode: Mode = Mode.ENFORCE
    quiet: timedelta = timedelta(minutes=1)
    after_reboot: bool = False
    """Whether the fault stays until the node booted anew, however good its signals are."""
    verify: timedelta = timedelta(minutes=5)
    burn_in: BurnIn | None = None
    """What has to pass on a mended node; nothing where the policy says it."""
    on_recovery: Recovery = Recovery.FINISH
    """What becomes of a drain under way when the fault goes away by itself."""
    cooldown: timedelta | None = None
    """How soon a fault that is back counts as never mended; nothing where the policy says it."""
    runbook: str = ""
    condition: Sign | None = None
    """Nothing where the fault is shown by no condition."""
    needs_approval: bool = False
    """Whether a person is asked before anything but the cordon is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules, and a digest that changes when one of them does."""

    rules: tuple[Rule, ...]
    digest: str
    by_name: Mapping[str, Rule] = field(default_factory=dict)
