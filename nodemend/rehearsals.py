"""How a person is shown which test cases of the rules went otherwise than expected."""

from collections.abc import Iterable, Iterator

from remediator.decide.rehearsal import Moment, Rehearsal


def report(rehearsals: Iterable[Rehearsal]) -> Iterator[str]:
    """Yield the lines about every case that went otherwise than expected."""
    for each in rehearsals:
        if not each.is_as_expected():
            yield f"{each.case.place}: {each.case.rule}: {each.case.name}"
            yield from _lines(each.moments)
            yield ""


def _lines(moments: tuple[Moment, ...]) -> Iterator[str]:
    wide = max(len(each.changes) for each in moments)
    late = max(len(each.at) for each in moments)
    for each in moments:
        found = f"{each.found:<9}"
        if not each.is_as_expected():
            found += f"  <-- expected {each.expected}"
        yield f"  {each.at:>{late}}  {each.changes:<{wide}}  {found}".rstrip()
