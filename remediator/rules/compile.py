"""From the YAML of a rule to what is judged by, with every mistake named."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from nodehealth import cel, history
from nodehealth.catalogue import CATALOGUE
from nodehealth.cel import parser
from nodehealth.cel.errors import choices
from nodehealth.kit.settings import SettingsError
from nodehealth.repair import Rung
from nodehealth.signals import Kind, Signal
from remediator.rules import bringing, expressions, thresholds
from remediator.rules.documents import Document, Page
from remediator.rules.language import Ask, Excuse, NodeCondition, RuleFile, Rungs, Verify
from remediator.rules.policy import BurnIn
from remediator.rules.rule import Combine, Question, Rule, RuleSet, Sign

CheckRung: TypeAlias = Callable[[str, Mapping[str, object]], object]
"""Raises SettingsError if there is no such remedy or a setting does not fit."""

CheckRunbook: TypeAlias = Callable[[str], object]
"""Raises SettingsError if there is no such runbook."""


_KUBERNETES_OWN: Final = frozenset(
    {
        "DiskPressure",
        "DrainInProgress",
        "Drained",
        "GracefulNodeShutdownInProgress",
        "MaintenanceInProgress",
        "MaintenancePlanned",
        "MemoryPressure",
        "NetworkUnavailable",
        "PIDPressure",
        "Ready",
    }
)
"""Types of conditions that mean something to Kubernetes itself."""


def unchecked(runbook: str) -> None:
    """Take any runbook as there: a cluster has the rules alone."""
    del runbook


def rule(
    document: Document, check_rung: CheckRung, check_runbook: CheckRunbook = unchecked
) -> Rule:
    """Make a rule ready to be judged by.

    Raises:
        ProblemsError: says all that is wrong with it.
    """
    page = Page(document)
    file = page.read(RuleFile)
    spec = file.spec
    combine, asks = _asks(spec.when, page)
    made = Rule(
        name=file.metadata.name,
        about=spec.about,
        severity=spec.severity,
        questions=tuple(
            question for where, ask in asks if (question := _question(ask, where, page)) is not None
        ),
        combine=combine,
        ladder=tuple(_ladder(spec.ladder, page, check_rung)),
        mode=spec.mode,
        quiet=page.duration("$.spec.clears.quiet", spec.clears.quiet),
        after_reboot=spec.clears.after == "reboot",
        verify=_verify(spec.verify, page),
        burn_in=_burn_in(spec.verify, page),
        on_recovery=spec.on_recovery,
        cooldown=_cooldown(spec.cooldown, page),
        runbook=spec.runbook,
        condition=_sign(spec.condition, page),
        needs_approval=spec.approval == "required",
    )
    try:
        check_runbook(spec.runbook)
    except SettingsError as wrong:
        page.wrong("$.spec.runbook", str(wrong))
    page.done()
    return made


def _verify(written: str | Verify, page: Page) -> timedelta:
    if isinstance(written, Verify):
        return page.duration("$.spec.verify.for", written.lasts)
    return page.duration("$.spec.verify", written)


def _burn_in(written: str | Verify, page: Page) -> BurnIn | None:
    given = written.burn_in if isinstance(written, Verify) else None
    return None if given is None else bringing.made(given, "$.spec.verify.burnIn", page)


def _sign(written: NodeCondition | None, page: Page) -> Sign | None:
    if written is None:
        return None
    if written.type in _KUBERNETES_OWN:
        message = f"Kubernetes writes {written.type} itself; a fault needs another type"
        page.wrong("$.spec.condition.type", message)
    return Sign(type=written.type, reason=written.reason, npd=written.npd)


def _cooldown(written: str | None, page: Page) -> timedelta | None:
    return page.duration("$.spec.cooldown", written) if written is not None else None


def rule_set(rules: Iterable[Rule], texts: Iterable[str]) -> RuleSet:
    """Put rules together; the digest is that of their texts."""
    ordered = tuple(sorted(rules, key=lambda each: each.name))
    digest = hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:16]
    return RuleSet(rules=ordered, digest=digest, by_name={each.name: each for each in ordered})


def _asks(when: Ask, page: Page) -> tuple[Combine, list[tuple[str, Ask]]]:
    forms = [name for name in ("signal", "any", "all") if getattr(when, name)]
    if len(forms) != 1:
        found = " and ".join(forms) or "none of them"
        page.wrong("$.spec.when", f"expected one of signal, any or all, got {found}")
        return Combine.ANY, []
    if when.signal:
        return Combine.ANY, [("$.spec.when", when)]
    combine = Combine(forms[0])
    group = when.any or when.all
    return combine, [(f"$.spec.when.{combine}[{n}]", ask) for n, ask in enumerate(group)]


def _question(ask: Ask, where: str, page: Page) -> Question | None:
    if ask.signal is None or ask.any or ask.all:
        page.wrong(where, "expected one question to one signal; any and all are not nested")
        return None
    signal = _signal(ask.signal, f"{where}.signal", page)
    if signal is None:
        return None
    for message in _misfits(ask, signal):
        page.wrong(where, message)
    within = page.duration(f"{where}.within", ask.within) if ask.within else None
    if within is not None:
        refusal = history.refusal(within, ask.count)
        if refusal:
            page.wrong(f"{where}.within", f"{refusal}, got {ask.within}")
    program = _compiled(ask.where, signal, where, page)
    return Question(
        signal=signal,
        where=program or (lambda _: False),
        text=ask.where,
        lasts=page.duration(f"{where}.for", ask.lasts),
        within=within,
        count=ask.count,
        since=_since(ask, where, page),
        asks_subject=_asks_subject(program),
        unless=_excuse(ask.unless, f"{where}.unless", page) if ask.unless else None,
    )


def _since(ask: Ask, where: str, page: Page) -> str:
    if ask.since is None:
        return ""
    signal = _signal(ask.since, f"{where}.since", page)
    if signal is not None and signal.kind is not Kind.EVENT:
        page.wrong(f"{where}.since", f"expected an event, got the level {ask.since}")
    return ask.since


def _excuse(excuse: Excuse, where: str, page: Page) -> Question | None:
    signal = _signal(excuse.signal, f"{where}.signal", page)
    if signal is None:
        return None
    if signal.kind is not Kind.LEVEL:
        page.wrong(f"{where}.signal", f"expected a level, got the event {excuse.signal}")
        return None
    program = _compiled(excuse.where, signal, where, page)
    return Question(
        signal=signal,
        where=program or (lambda _: False),
        text=excuse.where,
        asks_subject=_asks_subject(program),
    )


def _asks_subject(program: cel.Program | None) -> bool:
    return program is not None and "subject" in program.names


def _signal(name: str, where: str, page: Page) -> Signal | None:
    signal = CATALOGUE.get(name)
    if signal is None:
        page.wrong(where, f"unknown signal {name}; {choices(name, CATALOGUE)}")
    return signal


def _misfits(ask: Ask, signal: Signal) -> Iterator[str]:
    if signal.kind is Kind.EVENT and ask.lasts != "0s":
        yield f"{signal.name} is an event: it has no `for`; ask `within` and `count`"
    if signal.kind is Kind.LEVEL and (ask.within is not None or ask.count != 1 or ask.since):
        yield f"{signal.name} is a level: it has no `within`, `count` or `since`; ask `for`"


def _compiled(text: str, signal: Signal, where: str, page: Page) -> cel.Program | None:
    try:
        program = cel.compile(text, expressions.environment(signal))
    except cel.ExpressionError as wrong:
        page.wrong(f"{where}.where", f"{text!r}: {wrong}")
        return None
    if signal.kind is Kind.LEVEL:
        for message in thresholds.problems(parser.parse(text), signal):
            page.wrong(f"{where}.where", message)
    return program


def _ladder(rungs: Literal["none"] | Rungs, page: Page, check_rung: CheckRung) -> Iterator[Rung]:
    if rungs == "none":
        return
    if not rungs:
        message = "expected remedies, or `ladder: none` for what only people are told; got neither"
        page.wrong("$.spec.ladder", message)
    for n, rung in enumerate(rungs):
        where = f"$.spec.ladder[{n}]"
        named = {rung: None} if isinstance(rung, str) else rung
        if len(named) != 1:
            page.wrong(where, f"expected one remedy a rung, got {', '.join(named) or 'none'}")
            continue
        ((action, given),) = named.items()
        settings = dict(given or {})
        try:
            check_rung(action, settings)
        except SettingsError as wrong:
            page.wrong(where, str(wrong))
        yield Rung(action=action, settings=settings)
