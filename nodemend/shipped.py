"""Where the rules lie that nodemend ships with."""

from pathlib import Path
from typing import Final

RULES: Final = Path(__file__).parents[1] / "rules"
