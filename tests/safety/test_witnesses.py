"""Those who watch over the promises know nothing of the program that they watch."""

import ast
from pathlib import Path

import pytest

WITNESSES = sorted((Path(__file__).parent / "witnesses").glob("*.py"))


@pytest.mark.parametrize("path", WITNESSES, ids=lambda path: path.stem)
def test_a_witness_imports_nothing_of_the_remediator(path: Path) -> None:
    tree = ast.parse(path.read_text())
    named = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    named |= {a.name for each in ast.walk(tree) if isinstance(each, ast.Import) for a in each.names}

    assert not any(name.partition(".")[0] == "remediator" for name in named)
    assert {n for n in named if n.startswith("tests")} <= {
        f"tests.safety.witnesses.{each.stem}" for each in WITNESSES
    }
