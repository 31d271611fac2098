"""The YAML of a rule's test cases: facts that change over time, and what is expected of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from remediator.rules.language import Strict


class Verdict(StrEnum):
    """What a rule makes of a node at one moment."""

    WELL = "well"
    """The signals are known, and there is no fault."""
    SUSPECTED = "suspected"
    """The answer is yes, but not yet for as long as the rule asks."""
    HOLDS = "holds"
    """There is a fault, and fresh evidence of it."""
    STANDS = "stands"
    """There is a fault; whether the evidence is still there is unknown."""
    CLEARING = "clearing"
    """There is a fault; the signals are good, but not yet for long enough."""
    UNKNOWN = "unknown"
    """Too little is known, which is no fault."""


class LevelGiven(Strict, frozen=True, kw_only=True):
    """What a level is from now on."""

    signal: str
    subject: str = ""
    value: float | Literal["unknown", "notApplicable"]
    fields: Mapping[str, int | str] = {}


class EventGiven(Strict, frozen=True, kw_only=True):
    """Something that happens now, once or several times."""

    signal: str
    subject: str = ""
    count: Annotated[int, Meta(ge=1)] = 1
    fields: Mapping[str, int | str] = {}


class ConditionGiven(Strict, frozen=True, kw_only=True):
    """What a condition of the Node is from now on, the one word why, and the kubelet's sentence."""

    status: bool | Literal["unknown"]
    reason: str = ""
    message: str = ""


class NodeGiven(Strict, frozen=True, kw_only=True):
    """What of the Node itself is so from now on; what is not said stays."""

    labels: Mapping[str, str] = {}
    capacity: Mapping[str, str] = {}
    allocatable: Mapping[str, str] = {}
    ordered: Mapping[str, str] = {}
    """The boots that repairs had its machine end, and which repair each."""
    conditions: Mapping[str, bool | Literal["unknown"] | ConditionGiven] = {}


class StepGiven(Strict, frozen=True, kw_only=True):
    """One moment of a story: what changes, and what the rule must make of it."""

    at: str
    reboot: bool = False
    """The node has booted anew: its levels are forgotten and what happened was in another boot."""
    agent: Literal["silent", "speaks"] | None = None
    """From now on the agent writes nothing, or writes again."""
    pod: Literal["ready", "not-ready", "absent"] | None = None
    """How the agent's pod is from now on."""
    watches: Literal["behind", "current"] | None = None
    """From now on the API server tells the remediator nothing, or everything again."""
    node: NodeGiven = NodeGiven()
    levels: tuple[LevelGiven, ...] = ()
    events: tuple[EventGiven, ...] = ()
    expect: Verdict | None = None


class CaseGiven(Strict, frozen=True, kw_only=True):
    """One story; what its name says is what goes wrong when it fails."""

    name: str
    story: tuple[StepGiven, ...]


class CasesSpec(Strict, frozen=True, kw_only=True):
    """All stories of one rule."""

    rule: str
    cases: tuple[CaseGiven, ...]


class CasesFile(Strict, frozen=True, kw_only=True):
    """One file of test cases beside the rule that they are of."""

    api_version: Literal["nodemend.dev/v1alpha1"]
    kind: Literal["RuleTest"]
    spec: CasesSpec
