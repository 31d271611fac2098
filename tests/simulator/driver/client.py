"""A process that speaks to NVML through pynvml, as nobody changed it, and does what it is told.

A request is a line of JSON: `id`, the `thread` that shall do it, the function, its arguments. Each
answer is one too: the result, or the code that NVML returned. Handles of GPUs stand as
`{"gpu": 3}`, event sets as `{"set": 0}`, structures that NVML fills as `{"struct": "…"}`.
"""

import ctypes
import json
import queue
import sys
import threading
from typing import Any

import pynvml

HANDLES: list[Any] = []
SETS: list[Any] = []
THREADS: dict[str, "queue.SimpleQueue[dict[str, Any] | None]"] = {}
LOCK = threading.Lock()


def main() -> None:
    """Obey until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        thread = request["thread"]
        if thread not in THREADS:
            THREADS[thread] = queue.SimpleQueue()
            threading.Thread(target=work, args=(THREADS[thread],), daemon=True).start()
        THREADS[thread].put(request)


def work(requests: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
    """Do one thing after another."""
    while (request := requests.get()) is not None:
        try:
            said = {"result": perform(request["call"], request["arguments"])}
        except pynvml.NVMLError as error:
            said = {"error": error.value}
        with LOCK:
            sys.stdout.write(
                json.dumps({"id": request["id"], "native": threading.get_native_id(), **said})
                + "\n"
            )
            sys.stdout.flush()


def perform(call: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """Call pynvml; the structures among the arguments are the result if there are any."""
    if call == "open":
        pynvml.nvmlInit()
        HANDLES[:] = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return len(HANDLES)
    if call == "many":
        return [perform(*one) for one in arguments]
    structures = [
        getattr(pynvml, one["struct"])()
        for one in arguments
        if isinstance(one, dict) and "struct" in one
    ]
    filled = iter(structures)
    result = getattr(pynvml, call)(*[meant(one, filled) for one in arguments])
    return plain(structures[0] if structures else result)


def meant(argument: Any, structures: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what stands for an argument."""
    if isinstance(argument, dict) and "gpu" in argument:
        return HANDLES[argument["gpu"]]
    if isinstance(argument, dict) and "set" in argument:
        return SETS[argument["set"]]
    if isinstance(argument, dict) and "struct" in argument:
        return ctypes.byref(next(structures))
    if isinstance(argument, list):
        return [tuple(one) if isinstance(one, list) else one for one in argument]
    return argument


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - whatever pynvml gives
    """Return it as JSON has it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, pynvml.c_nvmlFieldValue_t):
        return field(value)
    if isinstance(value, pynvml.c_nvmlEventSet_t):
        SETS.append(value)
        return len(SETS) - 1
    if isinstance(value, pynvml.c_nvmlDevice_t):
        return [ctypes.addressof(handle.contents) for handle in HANDLES].index(
            ctypes.addressof(value.contents)
        )
    if isinstance(value, ctypes.Structure):
        return {name: plain(getattr(value, name)) for name, *_ in value._fields_}
    if isinstance(value, pynvml.nvmlFriendlyObject):
        return {name: plain(one) for name, one in vars(value).items()}
    if isinstance(value, list | tuple | ctypes.Array):
        return [plain(one) for one in value]
    return value


def field(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a structure of pynvml
    """Read the member of the union that the type says."""
    members = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
    return {
        "field": value.fieldId,
        "scope": value.scopeId,
        "code": value.nvmlReturn,
        "type": value.valueType,
        "value": getattr(value.value, members[value.valueType]),
        "latency": value.latencyUsec,
        "timestamp": value.timestamp,
    }


if __name__ == "__main__":
    main()
