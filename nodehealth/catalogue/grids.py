"""The steps in which levels are told: wide enough that noise makes no writes."""

from typing import Final

from nodehealth.signals import Grid

SPACE_LEFT: Final = Grid(step=0.005, hysteresis=0.0025, coarse=0.25)
"""Half percents of what is nearly used up; what fills and empties with the work makes no writes."""
ROOM_LEFT: Final = Grid(step=0.05, hysteresis=0.025, coarse=0.25)
"""Likewise, where it goes up and down faster."""
FIVE_PERCENT: Final = Grid(step=0.05, hysteresis=0.025)
"""For what goes up and down all day: each step is a write."""
NEARLY_FULL: Final = Grid(step=0.45, hysteresis=0.05)
"""Empty, half full, nearly full: what fills and empties with every job writes nothing."""
TENTHS: Final = Grid(step=0.1)
"""For what only ever grows."""
HALVES: Final = Grid(step=0.5, hysteresis=0.25)
"""For what a healthy node at work has any amount of."""
FIFTHS: Final = Grid(step=0.2, hysteresis=0.1)
ONE_A_SECOND: Final = Grid(step=1, hysteresis=0.5)
TEN_A_SECOND: Final = Grid(step=10, hysteresis=5)
HUNDRED_A_SECOND: Final = Grid(step=100, hysteresis=50)
HUNDRED_AND_TWENTY: Final = Grid(step=120)
THOUSAND_A_SECOND: Final = Grid(step=1000, hysteresis=500)
TENTH_OF_A_SECOND: Final = Grid(step=0.1, hysteresis=0.05)
FIVE_SECONDS: Final = Grid(step=5, hysteresis=2.5)
ONE_MINUTE: Final = Grid(step=60)
ONE_SECOND: Final = Grid(step=1, hysteresis=0.5)
FIVE_DEGREES: Final = Grid(step=5, hysteresis=2.5)
QUARTER_OF_A_THOUSAND: Final = Grid(step=250, hysteresis=125)
QUARTER_A_SECOND: Final = Grid(step=0.25, hysteresis=0.125)
"""Fifteen a minute."""
