"""What the operator's files say: rules and policy, and whom and what they name."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodehealth.kit import discovery
from remediator import actions, providers, sinks
from remediator.actions import Action
from remediator.providers import Provider
from remediator.rules import load
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from remediator.sinks import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the files are."""

    rules: Path = Path("rules")
    """The directory of the rules."""
    policy: Path = Path("rules/policy.yaml")


def remedy(name: str, settings: Mapping[str, object]) -> Action:
    """Find the remedy of a rung.

    Raises:
        nodehealth.kit.settings.SettingsError: there is none, or a setting does not fit.
    """
    return discovery.make(Action, actions.__name__, name, settings)


def owner(name: str, settings: object = None) -> Provider | None:
    """Find the owner of the machines that the policy names.

    Raises:
        nodehealth.kit.settings.SettingsError: there is none, or a setting does not fit.
    """
    return discovery.make(Provider, providers.__name__, name, settings) if name else None


def sink(name: str, settings: object) -> Sink:
    """Find a way of telling people.

    Raises:
        nodehealth.kit.settings.SettingsError: there is none, or a setting does not fit.
    """
    return discovery.make(Sink, sinks.__name__, name, settings)


CHECKS: Final = load.Checks(
    rung=remedy, receiver=sink, provider=owner, actions=discovery.names(actions.__name__)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the operator's files say."""

    rules: RuleSet
    policy: Policy
    provider: Provider | None
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    """By receiver, the way to tell it."""


def loaded(place: Place) -> Loaded:
    """Read rules and policy.

    Raises:
        remediator.rules.documents.ProblemsError: rules or policy can't be used.
    """
    rules, policy = load.book(place.rules, place.policy, CHECKS)
    provider = owner(policy.provider, policy.provider_settings)
    receivers = policy.alerts.receivers
    ways = {each.name: sink(each.sink, each.settings) for each in receivers}
    return Loaded(rules=rules, policy=policy, provider=provider, sinks=ways)


def fingerprint(place: Place) -> str:
    """Tell the files of one moment from those of another, whether they can be used or not."""
    digest = hashlib.sha256()
    for path, content in _contents(place):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _contents(place: Place) -> Iterator[tuple[Path, bytes]]:
    for path in load.files(place.rules, place.policy):
        try:
            yield path, path.read_bytes()
        except OSError as unreadable:
            yield path, f"\0{unreadable.strerror}".encode()
