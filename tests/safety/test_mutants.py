"""Whoever takes a guard out of the program is caught by those who watch over the promises."""

from pathlib import Path
from typing import Final

import pytest

from tests.safety import mutants
from tests.safety.mutants import MUTANTS
from tests.safety.mutating import Cut, CutError, Mutant

SEEN_SOON: Final = [n for n, each in MUTANTS.items() if each.seed is not None or each.tale]
SEEDS: Final = 10
"""How many seeds are tried from the one that showed it last: the program goes on changing."""


def source(module: str) -> str:
    path = Path(__file__).parents[2].joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SEEN_SOON)
def test_a_program_without_a_guard_is_caught(name: str) -> None:
    mutant = MUTANTS[name]
    caught = mutants.hunt(name, first=mutant.seed or 0, seeds=SEEDS)

    assert caught.promise in {*mutant.breaks, mutants.TALE}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_every_cut_fits_the_program_of_today(mutant: Mutant) -> None:
    cut = dict[str, str]()
    for each in mutant.cuts:
        cut[each.module] = each.apply(cut.get(each.module) or source(each.module))

    assert all(compile(text, module, "exec") for module, text in cut.items())


def test_words_that_are_not_there_cannot_be_cut() -> None:
    with pytest.raises(CutError, match="expected once, found 0 times"):
        Cut(module="somewhere", old="a guard", new="").apply("nothing")
    with pytest.raises(CutError, match="expected once, found 2 times"):
        Cut(module="somewhere", old="a guard", new="").apply("a guard, a guard")
