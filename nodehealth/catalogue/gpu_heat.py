"""Signals of the heat and the power of GPUs."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.catalogue.gpu_words import GPU, UNASKED, flag
from nodehealth.signals import FieldType, Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="gpu.hw_slowdown_ratio",
        kind=Kind.LEVEL,
        about="Share of the time in which a GPU's hardware slowed it down, for heat or power.",
        subject=GPU,
        source="growth of fields 270 (hardware thermal slowdown) and 271 (power brake), "
        "nanoseconds each, between two looks; where there are none, whether bits 0x8, 0x40 or 0x80 "
        "of nvmlDeviceGetCurrentClocksEventReasons are set; `reason` is thermal, power-brake, "
        "both, hardware, or empty where it did not",
        unit=Unit.RATIO,
        grid=grids.FIFTHS,
        fields={"reason": FieldType.STRING},
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.sw_thermal_slowdown_ratio",
        kind=Kind.LEVEL,
        about="Share of the time in which the driver slowed a GPU down for its heat.",
        subject=GPU,
        source="growth of field 269, nanoseconds, between two looks; where there is none, bit 0x20 "
        "of nvmlDeviceGetCurrentClocksEventReasons",
        unit=Unit.RATIO,
        grid=grids.FIFTHS,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.thermal_margin",
        kind=Kind.LEVEL,
        about="How many degrees a GPU may still warm before it slows itself down; at most 10.",
        subject=GPU,
        source="the greater of the card's own slowdown threshold less its temperature "
        "(nvmlDeviceGetTemperatureThreshold and nvmlDeviceGetTemperatureV) and "
        "nvmlDeviceGetMarginTemperature less field 194, as far as it tells them",
        unit=Unit.CELSIUS,
        healthy=10.0,
        grid=grids.FIVE_DEGREES,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.memory_thermal_margin",
        kind=Kind.LEVEL,
        about="How many degrees the memory of a GPU may still warm before its limit; at most 10.",
        subject=GPU,
        source="nvmlDeviceGetTemperatureThreshold (memory maximum) less field 82",
        unit=Unit.CELSIUS,
        healthy=10.0,
        grid=grids.FIVE_DEGREES,
        unknown=UNASKED,
    ),
    flag(
        "gpu.power_unreadable",
        "A GPU that told its power does not tell it any more, though it answers.",
        "nvmlDeviceGetPowerUsage fails while other calls do not",
    ),
)
