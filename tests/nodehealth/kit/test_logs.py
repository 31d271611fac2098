"""Log lines are for people, or one JSON object each."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from nodehealth.kit import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_plain_lines_name_level_and_logger() -> None:
    stream = io.StringIO()
    logs.setup(stream=stream)

    logging.getLogger("agent.report").warning("%s is late", "gpu")
    logging.getLogger("agent.report").debug("not this")

    assert stream.getvalue().endswith(" WARNING agent.report: gpu is late\n")
    assert stream.getvalue().count("\n") == 1


def test_json_lines_are_one_object_each_with_the_traceback_inside() -> None:
    stream = io.StringIO()
    logs.setup("DEBUG", json=True, stream=stream)

    bug = LookupError("a\nbug")
    logging.getLogger("agent").error("two\nlines", exc_info=bug)

    [line] = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("error", "agent", "two\nlines")
    assert "LookupError: a\nbug" in found["exception"]
    assert found["time"].endswith("Z")
