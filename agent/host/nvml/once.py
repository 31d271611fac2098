"""One look at the driver, in a process that ends with it: `python -m agent.host.nvml.once`.

Who is about to reset a GPU must not hold it, and must not be hung by it: so it asks in a process of
its own, which it can leave, and which has closed NVML when it has ended.
"""

import ctypes
import json
import sys
from collections.abc import Mapping
from typing import Any, Final

import pynvml

from agent.host.nvml import calls, devices
from agent.host.nvml.asking import Gpu
from agent.host.nvml.ways import NO_PERMISSION, Nvml

HANDLE: Final = "nvmlDeviceGetHandleByIndex_v2"
RECOVERY_ACTION: Final = 230

_WANTED: Final = frozenset(
    {
        "nvmlDeviceGetUUID",
        "nvmlDeviceGetPciInfo_v3",
        "nvmlDeviceGetMinorNumber",
        "nvmlDeviceGetRemappedRows",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetPersistenceMode",
        "nvmlDeviceGetGpuFabricInfoV",
        "nvmlDeviceGetNvLinkState",
        "nvmlDeviceGetNvLinkRemotePciInfo_v2",
        "nvmlDeviceGetNvLinkRemoteDeviceType",
    }
)


def main(library: str = "", folder: str = "") -> None:
    """Write what the driver says, as JSON.

    Args:
        library: Where NVML lies, if not where the loader finds it.
        folder: Where the host has NVIDIA's devices.
    """
    if library:
        ctypes.CDLL(library)  # pynvml asks for it by its name, and gets this one
    barred = {"code": NO_PERMISSION, "gpus": []}
    sys.stdout.write(json.dumps(look(pynvml) if devices.may_open(folder) else barred) + "\n")


def look(nv: Nvml) -> Mapping[str, Any]:
    """Ask for all that a reset needs to know.

    Returns:
        What nvmlInit returned, as `code`, and the answers of each GPU, as `gpus`.
    """
    try:
        nv.nvmlInit()
    except nv.NVMLError as error:
        return {"code": error.value, "gpus": []}
    try:
        return {"code": 0, "gpus": [_gpu(nv, each) for each in range(nv.nvmlDeviceGetCount())]}
    except nv.NVMLError as error:
        return {"code": error.value, "gpus": []}
    finally:
        nv.nvmlShutdown()


def _gpu(nv: Nvml, index: int) -> Mapping[str, object]:
    try:
        gpu = Gpu(nv, nv.nvmlDeviceGetHandleByIndex(index), set(), lambda _: None)
    except nv.NVMLError as error:
        return {HANDLE: {"error": error.value}}
    wanted = [(RECOVERY_ACTION, None)]
    said = {
        calls.FIELDS: gpu.make(calls.FIELDS, lambda: calls.field_values(nv, gpu.handle, wanted)[0])
    }
    for call in calls.CALLS:
        if call.name in _WANTED:
            said[call.name] = _asked(nv, gpu, call)
    return said


def _asked(nv: Nvml, gpu: Gpu, call: calls.Call) -> object:
    """Ask in the newest way that there is."""
    answer: object = None
    for name, way in call.ways:
        answer = gpu.make(name, lambda way=way: way(nv, gpu.handle, calls.LINKS))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        if name not in gpu.unsupported:
            break
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
