"""An extension is found by the name of its module, and a wrong name is answered with the right."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodehealth.kit import discovery
from nodehealth.kit.settings import SettingsError

MODULES = {
    "__init__": """
        import abc

        class Remedy(abc.ABC):
            @abc.abstractmethod
            def run(self): ...
    """,
    "reset_gpu": """
        from dataclasses import dataclass
        from remedies import Remedy

        @dataclass(frozen=True)
        class ResetGpu(Remedy):
            tries: int = 1

            def run(self): ...
    """,
    "borrowed": "from remedies import Remedy\nfrom remedies.reset_gpu import ResetGpu",
    "twins": """
        from remedies import Remedy

        class One(Remedy):
            def run(self): ...

        class Two(Remedy):
            def run(self): ...
    """,
    "_shared": "",
}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[object]]:
    """Make a package of remedies, and return their base."""
    folder = tmp_path / "remedies"
    folder.mkdir()
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text.replace("\n        ", "\n"))
    monkeypatch.syspath_prepend(tmp_path)
    found: type[object] = importlib.import_module("remedies").Remedy
    yield found
    for name in [each for each in sys.modules if each.partition(".")[0] == "remedies"]:
        del sys.modules[name]


def test_an_extension_is_made_by_name_with_its_settings(base: type[object]) -> None:
    found = discovery.make(base, "remedies", "reset-gpu", {"tries": 3}, path="ladder")

    assert repr(found) == "ResetGpu(tries=3)"


def test_modules_are_listed_as_people_write_them(base: type[object]) -> None:
    assert base
    assert discovery.names("remedies") == ("borrowed", "reset-gpu", "twins")


@pytest.mark.parametrize(
    ("name", "written", "complaint"),
    [
        ("rest-gpu", None, "ladder: no remedy named 'rest-gpu'; known are borrowed, reset-gpu"),
        ("_shared", None, "ladder: no remedy named '_shared'; known are "),
        ("os.path", None, "ladder: no remedy named 'os.path'; known are "),
        ("reset-gpu", {"retries": 3}, "ladder.reset-gpu.retries: unknown setting; known are tries"),
        ("borrowed", None, "remedies.borrowed: expected one Remedy, found none"),
        ("twins", None, "remedies.twins: expected one Remedy, found One, Two"),
    ],
)
def test_what_cannot_be_made_is_complained_of(
    base: type[object], name: str, written: object, complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        discovery.make(base, "remedies", name, written, path="ladder")

    assert str(caught.value).startswith(complaint)
