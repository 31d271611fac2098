"""From the YAML of a rule's test cases to what can be played, with every mistake named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nodehealth.catalogue import CATALOGUE
from nodehealth.cel.errors import choices
from nodehealth.signals import Author, FieldType, Kind, Signal, Unit
from remediator.rules.documents import Document, Page
from remediator.rules.stories import CaseGiven, CasesFile, EventGiven, LevelGiven, StepGiven

_TYPES: Final[Mapping[FieldType, type]] = {FieldType.INT: int, FieldType.STRING: str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One moment of a story."""

    at: timedelta
    given: StepGiven


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One story, checked against the catalogue."""

    place: str
    """Where it is written, as `file:line`."""
    rule: str
    name: str
    steps: tuple[Step, ...]


def cases(document: Document, rules: Mapping[str, object]) -> tuple[Case, ...]:
    """Read the test cases of a file.

    Raises:
        remediator.rules.documents.ProblemsError: says all that is wrong with them.
    """
    page = Page(document)
    spec = page.read(CasesFile).spec
    if spec.rule not in rules:
        page.wrong("$.spec.rule", f"unknown rule {spec.rule}; {choices(spec.rule, rules)}")
    if not spec.cases:
        page.wrong("$.spec.cases", "expected at least one case, got none")
    made = []
    for n, given in enumerate(spec.cases):
        where = f"$.spec.cases[{n}]"
        place = f"{document.path}:{document.line(where)}"
        steps = tuple(_steps(given, where, page))
        made.append(Case(place=place, rule=spec.rule, name=given.name, steps=steps))
    page.done()
    return tuple(made)


def _steps(given: CaseGiven, where: str, page: Page) -> Iterator[Step]:
    before = timedelta()
    if not any(step.expect for step in given.story):
        page.wrong(f"{where}.story", "expected at least one `expect`, got none")
    for n, step in enumerate(given.story):
        here = f"{where}.story[{n}]"
        at = page.duration(f"{here}.at", step.at)
        if at < before:
            page.wrong(f"{here}.at", f"expected no moment before {before}, got {step.at}")
        before = at
        for m, level in enumerate(step.levels):
            _check(level, Kind.LEVEL, f"{here}.levels[{m}]", page)
        for m, event in enumerate(step.events):
            _check(event, Kind.EVENT, f"{here}.events[{m}]", page)
        yield Step(at=at, given=step)


def _check(given: LevelGiven | EventGiven, kind: Kind, where: str, page: Page) -> None:
    signal = CATALOGUE.get(given.signal)
    if signal is None:
        message = f"unknown signal {given.signal}; {choices(given.signal, CATALOGUE)}"
        page.wrong(f"{where}.signal", message)
        return
    if signal.author is Author.REMEDIATOR:
        page.wrong(f"{where}.signal", f"{signal.name} is read off the Node; set it by `node`")
        return
    if signal.kind is not kind:
        page.wrong(f"{where}.signal", f"{signal.name} is no {kind} but a {signal.kind}")
        return
    for name, value in given.fields.items():
        expected = signal.fields.get(name)
        if expected is None:
            page.wrong(f"{where}.fields", f"unknown field {name}; {choices(name, signal.fields)}")
        elif type(value) is not _TYPES[expected]:
            page.wrong(f"{where}.fields.{name}", f"expected {expected}, got {value!r}")
    if isinstance(given, LevelGiven) and isinstance(given.value, float | int):
        _check_value(given.value, signal, f"{where}.value", page)


def _check_value(value: float, signal: Signal, where: str, page: Page) -> None:
    if signal.unit is Unit.BOOLEAN and value not in {0, 1}:
        page.wrong(where, f"{signal.name} is 1 for yes or 0 for no, got {value:g}")
    elif not signal.grid.holds(value):
        page.wrong(
            where,
            f"{signal.name} only takes {signal.grid}, got {value:g}; "
            f"the nearest is {signal.grid.nearest(value):g}",
        )
