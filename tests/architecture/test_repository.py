"""What every file of the repository keeps to, whoever wrote it."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.repository import ROOT, files, modules

LOCK: Final = ROOT / "requirements.lock"
PINNED: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.]+)( ; [^:]+)?( --hash=sha256:[0-9a-f]{64})+"
)
MACHINES: Final = (
    r"(?<![\w.~}$-])/(?:work|root|Users)/\w",
    r"(?<![\w.~}$-])/home/\w+/",
)
INDEXES: Final = (
    r"pypi\.(?:org|io)",
    r"\bpypi\.",
    r"pythonhosted\.org",
    r"index[-]url\b",
    r"find[-]links\b",
    r"://[^\s\"']+/simple\b",
    r"registry\.(?:npmjs|yarnpkg)\.",
)
ELSEWHERE: Final = re.compile("|".join((*MACHINES, *INDEXES)), re.IGNORECASE)
WAIVER: Final = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no)")
EXPLAINED: Final = re.compile(
    r"#[ ]noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*(?: - | \()\w|#[ ]type: ignore\[[\w, -]+\]\s+# \w"
)
VAGUE: Final = {"common", "helpers", "manager", "misc", "util", "utils"}


def text(path: Path) -> str:
    """Return what a file says; nothing, if it isn't text."""
    return path.read_bytes().decode(errors="ignore")


def places(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """List the lines in which a pattern is found."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def requirements() -> list[str]:
    """Return what the lock pins, one requirement a line."""
    return re.sub(r"\s*\\\n\s*", " ", LOCK.read_text()).strip().splitlines()


def test_no_file_names_a_package_index_or_a_place_on_somebodys_machine() -> None:
    assert places(ELSEWHERE, files()) == []


@pytest.mark.parametrize(
    "line",
    [
        "see /wo" + "rk/main/Makefile",
        "HOME=/ro" + "ot/x",
        "cd /ho" + "me/jane/nodemend",
        "https://files.python" + "hosted.org/packages/x",
        "https://py" + "pi.org/project/x",
        "--index" + "-url http://10.0.0.1/x",
        "http://mirror.example/python/sim" + "ple",
    ],
)
def test_such_a_name_would_be_seen(line: str) -> None:
    assert ELSEWHERE.search(line)


def test_every_requirement_is_pinned_with_its_hashes_and_nothing_else() -> None:
    assert [line for line in requirements() if not PINNED.fullmatch(line)] == []


def test_the_lock_pins_whatever_the_project_depends_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {line.partition("==")[0] for line in requirements()}

    assert {re.split(r"[<>=]", each)[0].lower() for each in wanted} <= pinned


def test_every_module_says_its_idea_in_its_first_line() -> None:
    silent = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_bytes()))]

    assert silent == []


def test_every_waiver_gives_its_reason_on_its_line() -> None:
    waivers = places(WAIVER, modules())

    assert [each for each in waivers if not EXPLAINED.search(each)] == []


def test_no_module_is_named_for_nothing() -> None:
    assert [path for path in modules() if path.stem in VAGUE or path.parent.name in VAGUE] == []


def test_what_a_package_reads_beside_its_modules_is_shipped_with_it() -> None:
    packages = {path.parent for path in modules() if path.name == "__init__.py"}
    data = [path for path in files() if path.suffix != ".py" and packages & {*path.parents}]
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    named = {
        path
        for package, patterns in shipped["package-data"].items()
        for each in patterns
        for path in (ROOT / package.replace(".", "/")).glob(each)
    }

    assert [path for path in data if path not in named] == []
    assert ROOT / "agent/host/complaints/storage.yaml" in data


def test_no_folder_of_tests_is_a_package_that_hides_the_real_one() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
