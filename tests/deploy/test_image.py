"""The image holds what the lock pins, starts what the manifests start, and knows its rules."""

import re
import tomllib
from importlib import metadata
from typing import Final

import pytest
from typer.testing import CliRunner

from nodehealth.errand import ENTRY
from nodemend import shipped
from nodemend.cli import app
from nodemend.mending import places
from tests.deploy.manifests import DEPLOY, PROGRAMS, ROOT, templates

IMAGE: Final = DEPLOY / "image"
FILE: Final = re.sub(r" \\\n\s*", " ", (IMAGE / "Containerfile").read_text(encoding="utf-8"))
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned(path: str) -> dict[str, str]:
    """Return all that a lock says of each package, hashes included."""
    entries = re.split(r"\n(?=\S)", (ROOT / path).read_text(encoding="utf-8").strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def needed(names: set[str]) -> set[str]:
    """Return the packages that some packages need here, and those that these need."""
    found = set[str]()
    while names:
        name = names.pop()
        found.add(name)
        wanted = (each for each in metadata.requires(name) or () if "extra ==" not in each)
        names |= {_name(each) for each in wanted if _is_here(each)} - found
    return found


def _is_here(requirement: str) -> bool:
    """Leave out what other systems and older Pythons need."""
    return not re.search(r"(?:sys_platform|platform_system|python_version) *(?:==|<)", requirement)


def _name(requirement: str) -> str:
    bare = re.split(r"[\s<>=!~;\[(]", requirement)[0]
    return re.sub(r"[-_.]+", "-", bare).lower()


def test_what_the_image_installs_is_what_is_tested() -> None:
    everything = pinned("requirements.lock")

    assert pinned("deploy/image/requirements.lock").items() <= everything.items()


def test_the_image_installs_all_that_the_programs_need() -> None:
    wanted = needed({_name(each) for each in PROJECT["dependencies"]})

    assert wanted <= pinned("deploy/image/requirements.lock").keys()


def test_the_image_carries_no_tool_of_ours() -> None:
    tools = {_name(each) for each in PROJECT["optional-dependencies"]["dev"]}

    assert not tools & pinned("deploy/image/requirements.lock").keys()


def test_nothing_is_installed_without_its_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install [^&\n]*", FILE)

    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_every_base_is_of_a_named_version() -> None:
    bases = re.findall(r"^FROM (\S+)", FILE, re.MULTILINE)

    assert bases == ["python:3.11-slim-bookworm"] * 2


def test_whatever_is_copied_is_there_and_not_ignored() -> None:
    ignored = (IMAGE / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", FILE, re.MULTILINE)
        for name in line.split()
    }

    assert {f"!{name}" for name in copied} == {each for each in ignored if each.startswith("!")}
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_every_package_of_the_project_is_in_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}

    assert packages == set(re.findall(r"^COPY (\w+) \1$", FILE, re.MULTILINE))


def test_the_rules_lie_where_the_program_looks_for_them() -> None:
    beside = shipped.RULES.relative_to(ROOT)

    assert f"COPY rules /venv/lib/python3.11/site-packages/{beside}" in FILE


def test_an_image_without_the_way_into_a_host_is_not_built() -> None:
    last = FILE[FILE.rindex("FROM ") :]

    assert f"RUN {places.INTO_HOST[0]} --version" in last


def test_an_image_that_cannot_ask_disks_for_their_health_is_not_built() -> None:
    last = FILE[FILE.rindex("FROM ") :]

    assert re.search(r"RUN apt-get update && apt-get install .*&& smartctl --version", last)


def test_a_repair_pod_finds_its_program_where_the_image_has_it() -> None:
    assert ENTRY[0] in PROJECT["scripts"]
    assert "ENV PATH=/venv/bin:$PATH" in FILE


def test_the_image_can_ask_nvml() -> None:
    assert "nvidia-ml-py" in pinned("deploy/image/requirements.lock")


def test_the_image_starts_the_program_as_nobody() -> None:
    assert 'ENTRYPOINT ["nodemend"]' in FILE
    assert "nodemend" in PROJECT["scripts"]
    assert FILE.rindex("USER 65532:65532") > FILE.rindex("RUN")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_command_line_knows_the_arguments_of_the_manifests(program: str) -> None:
    (pod,) = templates(DEPLOY / program)
    words = pod["containers"][0]["args"]

    said = CliRunner().invoke(app(words, {}), [*words, "--help"])

    assert said.exit_code == 0, said.output


def test_an_argument_that_it_does_not_know_would_be_seen() -> None:
    words = ["agent", "--nonsense=1"]

    assert CliRunner().invoke(app(words, {}), [*words, "--help"]).exit_code != 0
