"""The library is made where it can be made, once, and where not that is said."""

from pathlib import Path

import pytest

from simulator.driver import build


def test_a_machine_without_gcc_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(build.BuildError, match="there is no gcc here"):
        build.build(tmp_path)


def test_what_gcc_says_against_the_sources_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "gcc"
    refusing.write_text("#!/bin/sh\necho not like this >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(build.BuildError, match="not like this"):
        build.build(tmp_path)


def test_a_library_is_made_once(library_folder: Path) -> None:
    before = build.build(library_folder).stat()

    assert build.build(library_folder).stat() == before
