"""Every call of NVML that is made, how often, and how its result is written down.

Only the worker makes them; it must stay small, so nothing here needs more than the standard
library, and pynvml comes in as an argument. Nothing here changes anything on a GPU.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from agent.host.nvml import ways

UNSUPPORTED: Final = ways.UNSUPPORTED
LOST: Final = ways.LOST
LINKS: Final = 18
"""The most NVLinks of any GPU."""
FIELDS: Final = "nvmlDeviceGetFieldValues"

ONCE: Final = "once"
"""What a GPU is, which does not change while its driver lives."""
VITALS: Final = "vitals"
LINKED: Final = "links"
"""Links, fabric, modes and what people want to see."""
SLOW: Final = "slow"
"""What is dear, or changes seldom."""
TIERS: Final = (ONCE, VITALS, LINKED, SLOW)


class Call(NamedTuple):
    """One thing that is asked of a GPU."""

    name: str
    """What the answer is called: NVML's newest function for it."""
    tier: str
    ways: tuple[tuple[str, ways.Way], ...]
    """How it is asked, the newest way first; each with a name under which it is remembered that
    there is no such way here."""


def of(tiers: Iterable[str]) -> tuple[Call, ...]:
    """Return the calls of some tiers, but for the fields, which are one call for all of them."""
    wanted = frozenset(tiers)
    return tuple(call for call in CALLS if call.tier in wanted)


def fields(tiers: Iterable[str], links: int) -> tuple[tuple[int, int | None], ...]:
    """Return the fields of some tiers, each with the NVLink that is asked for."""
    wanted = frozenset(tiers)
    plain = ((each, None) for tier in TIERS if tier in wanted for each in _FIELDS.get(tier, ()))
    scoped = ((each, link) for each in _LINK_FIELDS for link in range(links))
    return (*plain, *scoped) if LINKED in wanted else tuple(plain)


def spelled(field: int, link: int | None) -> str:
    """Return what the answer of a field is called."""
    return f"{field}" if link is None else f"{field}/{link}"


def field_values(
    nv: ways.Nvml, handle: ways.Handle, wanted: Iterable[tuple[int, int | None]]
) -> tuple[dict[str, object], int]:
    """Ask for fields in one call; return what they are, and the longest that one took, in µs."""
    asked = list(wanted)
    got = nv.nvmlDeviceGetFieldValues(
        handle, [each if link is None else (each, link) for each, link in asked]
    )
    values = {spelled(*key): ways.field(one) for key, one in zip(asked, got, strict=True)}
    return values, max((one.latencyUsec for one in got), default=0)


def system(nv: ways.Nvml) -> dict[str, object]:
    """Ask what the driver is; whatever it does not tell is an error in its place."""
    asked: Mapping[str, Callable[[], object]] = {
        "nvmlSystemGetDriverVersion": nv.nvmlSystemGetDriverVersion,
        "nvmlSystemGetNVMLVersion": nv.nvmlSystemGetNVMLVersion,
        "nvmlSystemGetCudaDriverVersion_v2": nv.nvmlSystemGetCudaDriverVersion_v2,
    }
    said: dict[str, object] = {}
    for name, call in asked.items():
        try:
            said[name] = ways.text(call())
        except nv.NVMLError as error:
            said[name] = {"error": error.value}
    return said


def pci_address(bus_id: str) -> str:
    """Return an address as sysfs has it, such as 0000:3b:00.0 for 00000000:3B:00.0."""
    domain, _, rest = bus_id.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


def bus_id(pci: str) -> str:
    """Return an address as NVML has it."""
    domain, _, rest = pci.upper().partition(":")
    return f"{int(domain, 16):08X}:{rest}"


def _call(tier: str, name: str, way: ways.Way | None = None) -> Call:
    return Call(name, tier, ((name, way or ways.plain(name)),))


_FIELDS: Final[Mapping[str, tuple[int, ...]]] = {
    VITALS: (
        230,  # what must be done with the GPU
        *(3, 4, 5, 6),  # memory errors: corrected and not, of this driver's life and of the card's
        *(142, 143, 144, 145),  # rows replaced
        94,  # PCIe replays
        82,  # temperature of the memory
        *(269, 270, 271),  # time slowed down: by software, heat, power brake
    ),
    LINKED: (
        91,  # how many NVLinks
        *(38, 45, 52, 59, 160),  # their errors: CRC of flits and data, replays, recoveries, ECC
        *(29, 30, 31),  # pages given up, and whether some will be
        *(74, 75),  # time slowed down for power and heat
        *(193, 194, 195, 196),  # how far from which heat something happens
    ),
}
_LINK_FIELDS: Final = (
    *(161, 162, 163),  # replays, recoveries, CRC
    *(206, 207, 208, 209, 210, 211, 212, 214, 215, 219),  # NVLink 5
)

CALLS: Final = (
    _call(ONCE, "nvmlDeviceGetUUID"),
    _call(
        ONCE,
        "nvmlDeviceGetPciInfo_v3",
        ways.members("nvmlDeviceGetPciInfo_v3", ("busId", "pciDeviceId", "pciSubSystemId")),
    ),
    _call(ONCE, "nvmlDeviceGetSerial"),
    _call(ONCE, "nvmlDeviceGetName"),
    _call(ONCE, "nvmlDeviceGetArchitecture"),
    _call(ONCE, "nvmlDeviceGetMinorNumber"),
    _call(ONCE, "nvmlDeviceGetVbiosVersion"),
    _call(ONCE, "nvmlDeviceGetGspFirmwareVersion"),
    _call(ONCE, "nvmlDeviceGetGspFirmwareMode", ways.listed("nvmlDeviceGetGspFirmwareMode")),
    _call(ONCE, "nvmlDeviceGetMaxPcieLinkWidth"),
    _call(ONCE, "nvmlDeviceGetMaxPcieLinkGeneration"),
    _call(ONCE, "nvmlDeviceGetTemperatureThreshold", ways.thresholds),
    _call(ONCE, "nvmlDeviceGetSupportedEventTypes"),
    _call(VITALS, "nvmlDeviceGetRemappedRows", ways.listed("nvmlDeviceGetRemappedRows")),
    Call(
        "nvmlDeviceGetTemperatureV",
        VITALS,
        (
            ("nvmlDeviceGetTemperatureV", ways.temperature_v),
            ("nvmlDeviceGetTemperature", ways.temperature),
        ),
    ),
    _call(VITALS, "nvmlDeviceGetMarginTemperature"),
    _call(VITALS, "nvmlDeviceGetPowerUsage"),
    _call(VITALS, "nvmlDeviceGetEnforcedPowerLimit"),
    Call(
        "nvmlDeviceGetCurrentClocksEventReasons",
        VITALS,
        (
            (
                "nvmlDeviceGetCurrentClocksEventReasons",
                ways.plain("nvmlDeviceGetCurrentClocksEventReasons"),
            ),
            (
                "nvmlDeviceGetCurrentClocksThrottleReasons",
                ways.plain("nvmlDeviceGetCurrentClocksThrottleReasons"),
            ),
        ),
    ),
    _call(LINKED, "nvmlDeviceGetNvLinkState", ways.link_states),
    Call(
        "nvmlDeviceGetGpuFabricInfoV",
        LINKED,
        (
            (
                "nvmlDeviceGetGpuFabricInfoV v3",
                ways.fabric("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v3_t"),
            ),
            (
                "nvmlDeviceGetGpuFabricInfoV v2",
                ways.fabric("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v2_t"),
            ),
            (
                "nvmlDeviceGetGpuFabricInfo",
                ways.fabric("nvmlDeviceGetGpuFabricInfo", "c_nvmlGpuFabricInfo_t"),
            ),
        ),
    ),
    _call(LINKED, "nvmlDeviceGetCurrPcieLinkWidth"),
    _call(LINKED, "nvmlDeviceGetCurrPcieLinkGeneration"),
    _call(LINKED, "nvmlDeviceGetPcieReplayCounter"),
    _call(LINKED, "nvmlDeviceGetPerformanceState"),
    _call(LINKED, "nvmlDeviceGetPersistenceMode"),
    _call(LINKED, "nvmlDeviceGetEccMode", ways.listed("nvmlDeviceGetEccMode")),
    _call(LINKED, "nvmlDeviceGetMigMode", ways.listed("nvmlDeviceGetMigMode")),
    _call(
        LINKED,
        "nvmlDeviceGetUtilizationRates",
        ways.members("nvmlDeviceGetUtilizationRates", ("gpu", "memory")),
    ),
    Call(
        "nvmlDeviceGetMemoryInfo",
        LINKED,
        (
            ("nvmlDeviceGetMemoryInfo_v2", ways.memory_v2),
            ("nvmlDeviceGetMemoryInfo", ways.memory_v1),
        ),
    ),
    _call(SLOW, "nvmlDeviceGetNvLinkRemotePciInfo_v2", ways.link_peers),
    _call(SLOW, "nvmlDeviceGetNvLinkRemoteDeviceType", ways.link_peer_types),
    _call(
        SLOW,
        "nvmlDeviceGetRowRemapperHistogram",
        ways.members(
            "nvmlDeviceGetRowRemapperHistogram", ("max", "high", "partial", "low", "none")
        ),
    ),
    _call(SLOW, "nvmlDeviceGetSramEccErrorStatus", ways.sram),
    _call(SLOW, "nvmlDeviceGetUnrepairableMemoryFlag_v1"),
    _call(SLOW, "nvmlDeviceGetRepairStatus", ways.listed("nvmlDeviceGetRepairStatus")),
    _call(SLOW, "nvmlDeviceGetComputeRunningProcesses_v3", ways.processes),
    _call(SLOW, "nvmlDeviceValidateInforom"),
)
