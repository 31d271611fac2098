"""The document that says how each probe is tested names every probe, and tests that there are."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from agent import settings

ROOT: Final = Path(__file__).parents[2]
HEAD: Final = "| probe | what goes bad and is well again | interface | test |"
TEST: Final = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
INTERFACES: Final = {"real kernel", "recorded tree", "stand-in"}


class Row(NamedTuple):
    """One thing that a probe is seen to find and to find no more."""

    probe: str
    what: str
    interface: str
    test: str


def rows() -> list[Row]:
    lines = (ROOT / "docs/probes-tested.md").read_text().splitlines()
    told = lines[lines.index(HEAD) + 2 :]
    return [Row(*(cell.strip(" `") for cell in line.strip("|").split(" | "))) for line in told]


def test_every_probe_is_told_of_in_order() -> None:
    probes = [each.probe for each in rows()]

    assert probes == sorted(probes)
    assert set(probes) == set(settings.load({}).probes)


def test_every_interface_is_one_that_is_explained() -> None:
    assert {each.interface for each in rows()} == INTERFACES


def test_every_test_that_is_named_is_there() -> None:
    missing = [each.test for each in rows() if not is_there(*each.test.split("::"))]

    assert missing == []


def is_there(file: str, name: str) -> bool:
    path = ROOT / "tests" / file
    return path.is_file() and bool(
        re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE)
    )


def test_all_that_is_played_with_a_real_kernel_is_told() -> None:
    named = {each.test for each in rows()}
    played = {
        f"agent/real/{file.name}::{name}"
        for file in (ROOT / "tests/agent/real").glob("test_*.py")
        for name in TEST.findall(file.read_text())
    }

    assert played - named == set()
