"""How an act tells what it saw, or that it could not be played."""

import json
import sys
from typing import Final, NoReturn

LACKING: Final = "lacking: "


def tell(seen: object) -> None:
    """Tell the test."""
    sys.stdout.write(f"{json.dumps(seen)}\n")
    sys.stdout.flush()


def lack(what: str) -> NoReturn:
    """Give up: this kernel has not what it needs."""
    sys.exit(f"{LACKING}{what}")
