"""For which repairs a person is asked first."""

from dataclasses import dataclass

from nodehealth.repair import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """All that is named must fit; what is left empty fits every repair."""

    actions: frozenset[str] = frozenset()
    """One of these is on the ladder."""
    severities: frozenset[Severity] = frozenset()
    pools: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
