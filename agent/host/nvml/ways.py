"""How each kind of NVML's functions is called, and how what it gives is written as JSON.

A way takes pynvml, a handle and the number of the GPU's NVLinks.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

Nvml: TypeAlias = Any
"""pynvml, which has no types."""
Handle: TypeAlias = Any
Struct: TypeAlias = Any
Way: TypeAlias = Callable[[Nvml, Handle, int], object]
"""Makes a call: of pynvml, to a handle, of a GPU with so many NVLinks."""

UNSUPPORTED: Final = frozenset({3, 4, 13, 25, 26})
"""There is no such thing here, and there will be none while this driver lives."""
INVALID_ARGUMENT: Final = 2
NO_PERMISSION: Final = 4
"""What NVML returns to who may not open NVIDIA's devices."""
LOST: Final = 15
_FABRIC: Final = ("state", "status", "healthMask", "healthSummary", "cliqueId")


def field(one: Struct) -> object:
    """Return the value of one field by its type, or its error."""
    if one.nvmlReturn:
        return {"error": one.nvmlReturn}
    value = one.value
    by_type = (
        value.dVal,
        value.uiVal,
        value.ulVal,
        value.ullVal,
        value.sllVal,
        value.siVal,
        value.usVal,
    )
    return by_type[one.valueType] if one.valueType < len(by_type) else value.ullVal


def text(value: object) -> object:
    """Return bytes as text, and all else as it is."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def plain(name: str) -> Way:
    """Call what needs only the handle, by the name that pynvml has for it."""
    return lambda nv, handle, _: text(getattr(nv, name)(handle))


def listed(name: str) -> Way:
    """Call what returns several values."""
    return lambda nv, handle, _: list(getattr(nv, name)(handle))


def members(name: str, members: Iterable[str]) -> Way:
    """Call what returns a structure, and take some of its members."""
    wanted = tuple(members)

    def ask(nv: Nvml, handle: Handle, _: int) -> object:
        got = getattr(nv, name)(handle)
        return {each: text(getattr(got, each)) for each in wanted}

    return ask


def _each(nv: Nvml, call: Callable[[int], object], arguments: Iterable[int]) -> dict[str, object]:
    """Call for each argument, as far as there is something to ask; the first tells if at all."""
    said: dict[str, object] = {}
    for each in arguments:
        try:
            said[str(each)] = text(call(each))
        except nv.NVMLError as error:
            if error.value == LOST or (error.value in UNSUPPORTED and not said):
                raise
            if error.value in UNSUPPORTED or error.value == INVALID_ARGUMENT:
                break
            said[str(each)] = {"error": error.value}
    return said


def thresholds(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask for each of the temperatures at which something happens; a card may lack any of them."""
    said: dict[str, object] = {}
    for kind in range(4):
        try:
            said[str(kind)] = nv.nvmlDeviceGetTemperatureThreshold(handle, kind)
        except nv.NVMLError as error:
            if error.value not in UNSUPPORTED:
                raise
    if not said:
        raise nv.NVMLError(3)
    return said


def link_states(nv: Nvml, handle: Handle, links: int) -> object:
    """Ask of each NVLink whether it is active."""
    return _each(nv, lambda link: nv.nvmlDeviceGetNvLinkState(handle, link), range(links))


def link_peers(nv: Nvml, handle: Handle, links: int) -> object:
    """Ask of each NVLink where on the bus it leads to."""

    def ask(link: int) -> object:
        return text(nv.nvmlDeviceGetNvLinkRemotePciInfo(handle, link).busId)

    return _each(nv, ask, range(links))


def link_peer_types(nv: Nvml, handle: Handle, links: int) -> object:
    """Ask of each NVLink to what kind of device it leads."""
    return _each(
        nv, lambda link: nv.nvmlDeviceGetNvLinkRemoteDeviceType(handle, link), range(links)
    )


def temperature_v(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask how warm the GPU is."""
    return nv.nvmlDeviceGetTemperatureV(handle, nv.NVML_TEMPERATURE_GPU)


def temperature(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask how warm the GPU is, in the old way."""
    return nv.nvmlDeviceGetTemperature(handle, nv.NVML_TEMPERATURE_GPU)


def memory_v2(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask how much memory there is, without what the driver keeps for itself."""
    return _memory(nv.nvmlDeviceGetMemoryInfo(handle, version=nv.nvmlMemory_v2))


def memory_v1(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask how much memory there is, in the old way."""
    return _memory(nv.nvmlDeviceGetMemoryInfo(handle))


def _memory(got: Struct) -> object:
    return {"total": got.total, "used": got.used, "free": got.free}


def fabric(function: str, structure: str) -> Way:
    """Ask how the GPU stands in its NVLink fabric, with one version of the structure."""

    def ask(nv: Nvml, handle: Handle, _: int) -> object:
        got = getattr(nv, structure)()
        getattr(nv, function)(handle, nv.byref(got))
        members = {name: getattr(got, name, None) for name in _FABRIC}
        told = {name: value for name, value in members.items() if value is not None}
        return {**told, "clusterUuid": _uuid(bytes(got.clusterUuid))}

    return ask


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def sram(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask for the errors of SRAM, and whether they are too many."""
    got = nv.c_nvmlEccSramErrorStatus_v1_t()
    nv.nvmlDeviceGetSramEccErrorStatus(handle, nv.byref(got))
    names = (name for name, _ in got._fields_ if name not in {"version", "bThresholdExceeded"})
    return {"thresholdExceeded": got.bThresholdExceeded, **{n: getattr(got, n) for n in names}}


def processes(nv: Nvml, handle: Handle, _: int) -> object:
    """Ask which processes compute on the GPU."""
    return [
        {"pid": each.pid, "usedGpuMemory": each.usedGpuMemory}
        for each in nv.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    ]
