"""The YAML of a rule as SREs write it, before it is checked against the catalogue."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from nodehealth.repair import Mode, Recovery, Severity


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a file in which a misspelt key is an error."""


Rungs: TypeAlias = tuple[str | Mapping[str, Mapping[str, str | int] | None], ...]
"""Remedies in the order in which they are tried: a name, or a name with its settings."""


class Excuse(Strict, frozen=True, kw_only=True):
    """A level that, where it is known to answer yes, excuses the same subject."""

    signal: str
    where: str


class Ask(Strict, frozen=True, kw_only=True):
    """One question to one signal, or several such questions."""

    signal: str | None = None
    where: str = "true"
    """A CEL expression over the signal's own fields, its value and subject, and the node."""
    lasts: str = msgspec.field(default="0s", name="for")
    """How long a level must answer yes without a break."""
    within: str | None = None
    """How far back events count; without it, all of the present boot."""
    count: Annotated[int, Meta(ge=1)] = 1
    """How many events it takes."""
    since: str | None = None
    """An event that makes good what happened before it on the same subject, as a reset does."""
    unless: Excuse | None = None
    """What excuses a subject, whatever else is said of it."""
    any: tuple["Ask", ...] = ()
    all: tuple["Ask", ...] = ()


class Clears(Strict, frozen=True, kw_only=True):
    """When the fault is over: every signal is known and the answer is no for so long."""

    quiet: str = "1m"
    after: Literal["reboot"] | None = None
    """What must have happened too: some faults are not believed to be over before a boot."""


class NodeCondition(Strict, frozen=True, kw_only=True):
    """The Node condition by which the fault is shown."""

    type: Annotated[str, Meta(pattern="^[A-Z][A-Za-z0-9]{0,62}$")]
    """What is well while it is True, in CamelCase."""
    reason: Annotated[str, Meta(pattern="^[A-Z][A-Za-z0-9]{0,62}$")]
    npd: Annotated[str, Meta(pattern="^([A-Z][A-Za-z0-9]{0,62})?$")] = ""
    """What node-problem-detector calls the fault, where that is not its reason."""


class BurnIn(Strict, frozen=True, kw_only=True):
    """A Job that has to pass on a mended node before it takes work again."""

    template: Annotated[str, Meta(min_length=1, max_length=253)]
    deadline: str = "30m"


class Verify(Strict, frozen=True, kw_only=True):
    """How a mended node proves itself."""

    lasts: str = msgspec.field(name="for", default="5m")
    burn_in: BurnIn | None = None


class RuleSpec(Strict, frozen=True, kw_only=True):
    """What a fault is, how bad it is, when it is over and what mends it."""

    about: str
    severity: Severity
    when: Ask
    ladder: Literal["none"] | Rungs
    """What is tried one after the other; `none` tells people and touches nothing."""
    runbook: str = ""
    mode: Mode = Mode.ENFORCE
    """The stricter of this and the policy's mode wins."""
    clears: Clears = Clears()
    approval: Literal["none", "required"] = "none"
    """Whether a person is asked before anything but the cordon is done."""
    verify: str | Verify = "5m"
    """How long a mended node must be well before it takes work again, and what has to pass."""
    on_recovery: Recovery = Recovery.FINISH
    """What becomes of a drain under way when the fault goes away by itself."""
    cooldown: str | None = None
    """How soon the fault, when it is back, goes on with the next remedy."""
    condition: NodeCondition | None = None


class FileMetadata(Strict, frozen=True, kw_only=True):
    """The name of what a file says."""

    name: Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class RuleFile(Strict, frozen=True, kw_only=True):
    """One file, one fault."""

    api_version: Literal["nodemend.dev/v1alpha1"]
    kind: Literal["Rule"]
    metadata: FileMetadata
    spec: RuleSpec
