"""Whether a GPU needs a reset, and whether it is well after one."""

from collections.abc import Iterable, Sequence

from nodemend.mending.sight import ACTIONS, Gpu, Sight


def reasons(gpus: Iterable[Gpu]) -> tuple[str, ...]:
    """Say why GPUs need a reset, by what the driver tells of them; nothing where none does."""
    return tuple(f"{each.uuid} {why}" for each in gpus for why in (_why(each),) if why)


def complaints(before: Sequence[Gpu], after: Sight) -> tuple[str, ...]:
    """Say what is wrong with GPUs that were reset; nothing where they are all well."""
    if after.code:
        return (f"NVML cannot be used any more (error {after.code})",)
    return tuple(
        f"{each.uuid} {why}" for each in before for why in (_complaint(each, after),) if why
    )


def _complaint(before: Gpu, after: Sight) -> str:
    gpu = after.by_uuid.get(before.uuid)
    if gpu is None:
        return "is gone from the driver"
    if gpu.pci != before.pci:
        return f"moved from {before.pci} to {gpu.pci}"
    return _why(gpu)


def _why(gpu: Gpu) -> str:
    if gpu.error:
        return f"does not answer (error {gpu.error})"
    if gpu.action:
        return f"asks for {ACTIONS.get(gpu.action, f'recovery action {gpu.action}')}"
    return "has rows to be remapped" if gpu.pending else ""
