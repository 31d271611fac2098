"""One look at the driver, in a process that ends with it: `python -m agent.host.nvml.glance`.

Who is about to reset a GPU must not hold it, and must not be hung by it: so it asks in a process of
its own, which it can leave, and which has closed NVML when it has ended.
"""

import ctypes
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pynvml

RECOVERY_ACTION: Final = 230

_LINKS: Final = range(18)
_LIBRARIES: Final = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "run/nvidia/driver/usr/lib64",
    "home/kubernetes/bin/nvidia/lib64",
)


def main(root: str) -> None:
    """Write what the driver says, as JSON."""
    sys.stdout.write(json.dumps(look(Path(root))) + "\n")


def look(root: Path) -> Mapping[str, Any]:
    """Ask the driver for all that a reset needs to know: `code`, and the answers of each of `gpus`.

    Args:
        root: Where the host's root directory is mounted, whose library is taken.
    """
    if root != Path("/"):
        _take_library(root)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"code": error.value, "gpus": []}
    try:
        return {"code": 0, "gpus": [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]}
    except pynvml.NVMLError as error:
        return {"code": error.value, "gpus": []}
    finally:
        pynvml.nvmlShutdown()


def _take_library(root: Path) -> None:
    """Load the host's library: who asks for one of its name later gets this one."""
    for folder in _LIBRARIES:
        library = root / folder / "libnvidia-ml.so.1"
        if library.exists():
            ctypes.CDLL(str(library))
            return


def _gpu(index: int) -> Mapping[str, Any]:
    handle = _asked(lambda: pynvml.nvmlDeviceGetHandleByIndex(index))
    if isinstance(handle, dict):
        return {"nvmlDeviceGetHandleByIndex_v2": handle}
    asks: Mapping[str, Callable[[], Any]] = {
        "nvmlDeviceGetUUID": lambda: pynvml.nvmlDeviceGetUUID(handle),
        "nvmlDeviceGetPciInfo_v3": lambda: {"busId": pynvml.nvmlDeviceGetPciInfo(handle).busId},
        "nvmlDeviceGetMinorNumber": lambda: pynvml.nvmlDeviceGetMinorNumber(handle),
        "nvmlDeviceGetFieldValues": lambda: _recovery(handle),
        "nvmlDeviceGetRemappedRows": lambda: list(pynvml.nvmlDeviceGetRemappedRows(handle)),
        "nvmlDeviceGetMigMode": lambda: list(pynvml.nvmlDeviceGetMigMode(handle)),
        "nvmlDeviceGetPersistenceMode": lambda: pynvml.nvmlDeviceGetPersistenceMode(handle),
        "nvmlDeviceGetGpuFabricInfoV": lambda: {"state": _fabric_state(handle)},
    }
    return {**{name: _asked(ask) for name, ask in asks.items()}, **_links(handle)}


def _asked(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever NVML gives
    try:
        return ask()
    except pynvml.NVMLError as error:
        return {"error": error.value}


def _recovery(handle: object) -> Mapping[str, Any]:
    (value,) = pynvml.nvmlDeviceGetFieldValues(handle, [RECOVERY_ACTION])
    if value.nvmlReturn:
        return {str(RECOVERY_ACTION): {"error": value.nvmlReturn}}
    return {str(RECOVERY_ACTION): value.value.uiVal}


def _fabric_state(handle: object) -> int:
    info = pynvml.c_nvmlGpuFabricInfo_v2_t()
    pynvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    return int(info.state)


def _links(handle: object) -> Mapping[str, Any]:
    """Ask for all NVLinks; the first that is not there is the last."""
    states, remotes, kinds = {}, {}, {}
    for link in _LINKS:
        state = _asked(lambda link=link: pynvml.nvmlDeviceGetNvLinkState(handle, link))
        if isinstance(state, dict):
            break
        states[str(link)] = state
        remotes[str(link)] = _asked(
            lambda link=link: pynvml.nvmlDeviceGetNvLinkRemotePciInfo(handle, link).busId
        )
        kinds[str(link)] = _asked(
            lambda link=link: pynvml.nvmlDeviceGetNvLinkRemoteDeviceType(handle, link)
        )
    return {
        "nvmlDeviceGetNvLinkState": states,
        "nvmlDeviceGetNvLinkRemotePciInfo_v2": remotes,
        "nvmlDeviceGetNvLinkRemoteDeviceType": kinds,
    }


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "/")
