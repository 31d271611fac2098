"""An edit is taken in once and whole, and a broken one changes nothing but what people are told."""

import logging
from datetime import datetime

import pytest

from nodehealth.kit.settings import SettingsError
from remediator.files import Loaded
from remediator.reload import Reload, Source
from remediator.rules.documents import Problem, ProblemsError
from remediator.rules.policy import Policy
from tests.builders import NOON, rules


class Files:
    """Files whose text is a digest, or says that they are broken."""

    def __init__(self, text: str = "good") -> None:
        self.text = text
        self.taken: list[str] = []
        self.said: list[str] = []
        self.source = Source(fingerprint=self._fingerprint, read=self._read, used=text)
        self.reload = Reload(self.source, use=self._use, broken=self.said.append, clock=_noon)

    def _fingerprint(self) -> str:
        return self.text

    def _read(self) -> Loaded:
        if self.text == "torn":
            self.text = "whole"
        if "broken" in self.text:
            raise ProblemsError((Problem(path="a.yaml", line=3, message="no"),))
        if self.text == "unset":
            raise SettingsError("WEBHOOK_SECRET: expected a file, got none")
        if self.text == "unforeseen":
            raise LookupError("nobody thought of that")
        made = rules()
        return Loaded(rules=made, policy=Policy(provider=self.text), provider=None)

    def _use(self, loaded: Loaded) -> None:
        self.taken.append(loaded.policy.provider)


def _noon() -> datetime:
    return NOON


async def test_what_did_not_change_is_left_alone() -> None:
    files = Files()

    await files.reload.look()
    await files.reload.look()

    assert (files.taken, files.said) == ([], [])


async def test_an_edit_is_taken_in_once_two_looks_found_it_the_same() -> None:
    files = Files()

    files.text = "half"
    await files.reload.look()
    files.text = "better"
    await files.reload.look()
    before = list(files.taken)
    await files.reload.look()
    await files.reload.look()

    assert (before, files.taken) == ([], ["better"])


async def test_who_says_that_the_edit_is_done_is_believed_at_once() -> None:
    files = Files()
    files.text = "better"

    await files.reload.look(hurried=True)

    assert files.taken == ["better"]


async def test_what_changes_while_it_is_read_is_read_again() -> None:
    files = Files()
    files.text = "torn"

    await files.reload.look(hurried=True)
    before = list(files.taken)
    await files.reload.look()
    await files.reload.look()

    assert (before, files.taken) == ([], ["whole"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("broken", "a.yaml:3: no"),
        ("unset", "WEBHOOK_SECRET: expected a file, got none"),
        ("unforeseen", "they can't be read: LookupError: nobody thought of that"),
    ],
)
async def test_a_broken_edit_is_said_once_and_replaces_nothing(
    text: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = Files()
    files.text = text

    for _ in range(4):
        await files.reload.look()

    assert files.taken == []
    assert files.said == [says]
    assert files.reload.outcome.problem == says
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1


async def test_a_broken_edit_that_is_undone_is_no_problem_any_more() -> None:
    files = Files()
    files.text = "broken"
    await files.reload.look(hurried=True)

    files.text = "good"
    await files.reload.look()

    assert (files.taken, files.said) == ([], ["a.yaml:3: no", ""])
    assert files.reload.outcome.problem == ""


async def test_another_broken_edit_is_said_too_and_a_good_one_ends_it() -> None:
    files = Files()
    for text in ("broken", "broken again", "good again"):
        files.text = text
        await files.reload.look(hurried=True)

    assert files.said == ["a.yaml:3: no", "a.yaml:3: no", ""]
    assert files.taken == ["good again"]


async def test_somebody_who_hurries_hears_that_nothing_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    await Files().reload.look(hurried=True)

    assert "rules and policy have not changed" in caplog.text
