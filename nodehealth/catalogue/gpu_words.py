"""What signals of GPUs have in common."""

from typing import Final

from nodehealth.signals import FieldType, Kind, Signal, Unit

GPU: Final = "GPU UUID"
UNASKED: Final = (
    "The GPU is lost, hangs or rests after an XID, the driver is not there or hangs, or NVML was "
    "given back for a GPU reset."
)


def flag(
    name: str,
    about: str,
    source: str,
    *,
    fields: tuple[str, ...] = (),
    urgent: bool = False,
    unknown: str = UNASKED,
) -> Signal:
    """Return a level of a GPU that is 1 where something is wrong with it."""
    return Signal(
        name=name,
        kind=Kind.LEVEL,
        about=about,
        subject=GPU,
        source=source,
        unit=Unit.BOOLEAN,
        fields=dict.fromkeys(fields, FieldType.STRING),
        urgent=urgent,
        unknown=unknown,
    )
