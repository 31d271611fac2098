"""Where log lines go and what they look like: for people, or one JSON object a line."""

import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

_PLAIN: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line, its time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; a traceback is a field of its own."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def setup(
    level: int | str = logging.INFO, *, json: bool = False, stream: TextIO = sys.stderr
) -> None:
    """Send all logs of this process to one stream, replacing what was set up before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if json else logging.Formatter(_PLAIN))
    logging.basicConfig(level=level, handlers=[handler], force=True)
