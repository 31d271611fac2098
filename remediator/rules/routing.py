"""From the alerts of a policy as they are written to receivers and routes, mistakes named."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from nodehealth.cel.errors import choices
from nodehealth.kit.settings import SettingsError
from remediator.rules.alerting import Alerting, Receiver, Route
from remediator.rules.documents import Page
from remediator.rules.terms import AlertRoute, Alerts

CheckReceiver: TypeAlias = Callable[[str, object], object]
"""Raises SettingsError if there is no such way of telling people or a setting does not fit."""

_MATCHED: Final = ("severity", "pool", "rule", "team", "mode")
"""The labels that a route may ask for."""


def unchecked(sink: str, settings: object) -> None:
    """Take any way of telling as good, where nobody is going to be told."""
    del sink, settings


def alerting(written: Alerts, page: Page, check_receiver: CheckReceiver) -> Alerting:
    """Read who hears of what, and note every mistake."""
    receivers = tuple(_receivers(written.receivers, page, check_receiver))
    names = [each.name for each in receivers]
    return Alerting(
        cluster=written.cluster,
        team=written.team,
        runbooks=written.runbooks,
        observed=written.observed,
        waiting=page.duration("$.spec.alerts.waiting", written.waiting),
        receivers=receivers,
        routes=tuple(_route(n, each, names, page) for n, each in enumerate(written.routes)),
    )


def _receivers(
    written: tuple[Mapping[str, Any], ...], page: Page, check_receiver: CheckReceiver
) -> Iterator[Receiver]:
    names = set[str]()
    for n, each in enumerate(written):
        where = f"$.spec.alerts.receivers[{n}]"
        name, sinks = each.get("name"), {key: each[key] for key in each if key != "name"}
        if not isinstance(name, str) or not name or len(sinks) != 1:
            fact = ", ".join(map(str, each)) or "nothing"
            page.wrong(where, f"expected a name and one way of telling, got {fact}")
            continue
        if name in names:
            page.wrong(f"{where}.name", f"{name} is taken; a receiver needs a name of its own")
        names.add(name)
        ((sink, settings),) = sinks.items()
        try:
            check_receiver(sink, settings)
        except SettingsError as wrong:
            page.wrong(f"{where}.{sink}", str(wrong))
            continue
        yield Receiver(name=name, sink=sink, settings=settings or {})


def _route(n: int, written: AlertRoute, names: list[str], page: Page) -> Route:
    for m, name in enumerate(written.receivers):
        if name not in names:
            where = f"$.spec.alerts.routes[{n}].receivers[{m}]"
            page.wrong(where, f"no receiver named {name}; {choices(name, names)}")
    asked = {label: frozenset(map(str, getattr(written, label))) for label in _MATCHED}
    matches = {label: values for label, values in asked.items() if values}
    return Route(receivers=written.receivers, matches=matches)
