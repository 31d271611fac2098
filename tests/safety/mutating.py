"""Runs the program with a guard taken out: modules are loaded from their source with words cut."""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType


class CutError(Exception):
    """The words that are to be cut are not there, or not once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Words of a module, and what stands there instead."""

    module: str
    old: str
    new: str

    def apply(self, source: str) -> str:
        """Return the source with the words cut.

        Raises:
            CutError: they are not there exactly once.
        """
        count = source.count(self.old)
        if count != 1:
            raise CutError(f"{self.module}: expected once, found {count} times: {self.old!r}")
        return source.replace(self.old, self.new)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module, cut."""

    def __init__(self, fullname: str, path: str, cuts: Sequence[Cut]) -> None:
        super().__init__(fullname, path)
        self._cuts = cuts

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile the cut source; nothing of it is cached."""
        source = self.get_source(fullname) or ""
        for cut in self._cuts:
            source = cut.apply(source)
        return compile(source, self.path, "exec", dont_inherit=True)


@dataclass(frozen=True, slots=True)
class Mutating(importlib.abc.MetaPathFinder):
    """Finds the modules that are to be cut before anybody else does."""

    cuts: tuple[Cut, ...]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module that is to be cut."""
        cuts = [each for each in self.cuts if each.module == fullname]
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target) if cuts else None
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Loader(fullname, spec.origin, cuts)
        return spec


def install(cuts: Iterable[Cut]) -> None:
    """Have modules cut that nobody has imported yet.

    Raises:
        CutError: one was imported already.
    """
    wanted = tuple(cuts)
    late = sorted({each.module for each in wanted} & sys.modules.keys())
    if late:
        raise CutError(f"{', '.join(late)}: imported already, so nothing of it can be cut")
    sys.meta_path.insert(0, Mutating(wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A program that lacks something."""

    name: str
    about: str
    cuts: tuple[Cut, ...]
    breaks: tuple[str, ...]
    """What it must be seen to break, one of these at least."""
    seed: int | None = None
    """The first seed that showed it; unknown where only many seeds do, or where a tale does."""
    tale: str = ""
    """The test of tests/safety that fails by it, where what is needed is too rare for seeds."""


def mutant(
    name: str,
    about: str,
    breaks: str,
    *cuts: tuple[str, str, str],
    seed: int | None = None,
    tale: str = "",
) -> Mutant:
    made = tuple(Cut(module=f"remediator.{where}", old=old, new=new) for where, old, new in cuts)
    broken = tuple(breaks.split())
    return Mutant(name=name, about=about, cuts=made, breaks=broken, seed=seed, tale=tale)
