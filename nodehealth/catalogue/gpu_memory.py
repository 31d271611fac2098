"""Signals of the memory of GPUs."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.catalogue.gpu_words import GPU, UNASKED, flag
from nodehealth.signals import Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="gpu.ecc_uncorrected",
        kind=Kind.LEVEL,
        about="Memory errors of a GPU that were found and not corrected since its driver loaded.",
        subject=GPU,
        source="field 4 (volatile double bit errors, all memories)",
        urgent=True,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.ecc_uncorrected_ever",
        kind=Kind.LEVEL,
        about="Memory errors of a GPU that were found and not corrected in its whole life.",
        subject=GPU,
        source="field 6 (aggregate double bit errors, all memories)",
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.ecc_corrected",
        kind=Kind.LEVEL,
        about="Memory errors a second that a GPU corrects.",
        subject=GPU,
        source="growth of field 3 (volatile single bit errors, all memories) between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.TEN_A_SECOND,
        unknown=UNASKED,
    ),
    flag(
        "gpu.ecc_off",
        "A GPU that can check its memory does not.",
        "nvmlDeviceGetEccMode: current is off",
    ),
    flag(
        "gpu.sram_threshold_exceeded",
        "So many uncorrected errors in the SRAM of a GPU that NVIDIA wants it exchanged.",
        "nvmlDeviceGetSramEccErrorStatus: bThresholdExceeded",
        urgent=True,
    ),
    flag(
        "gpu.remap_pending",
        "A GPU has replaced bad rows of its memory, which takes effect at its next reset.",
        "nvmlDeviceGetRemappedRows, or fields 144",
    ),
    flag(
        "gpu.remap_failed",
        "A GPU could not replace a bad row of its memory: no spare rows are left for it.",
        "nvmlDeviceGetRemappedRows, or field 145",
        urgent=True,
    ),
    Signal(
        name="gpu.remapped_rows",
        kind=Kind.LEVEL,
        about="Rows of a GPU's memory that were replaced after uncorrected errors.",
        subject=GPU,
        source="nvmlDeviceGetRemappedRows, or field 143",
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.remap_banks_exhausted",
        kind=Kind.LEVEL,
        about="Banks of a GPU's memory that have no spare row left.",
        subject=GPU,
        source="nvmlDeviceGetRowRemapperHistogram: none",
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.retired_pages",
        kind=Kind.LEVEL,
        about="Pages of an older GPU's memory that were given up.",
        subject=GPU,
        source="fields 29 + 30; not applicable to GPUs that replace rows, Ampere and newer",
        unknown=UNASKED,
    ),
    flag(
        "gpu.retirement_pending",
        "An older GPU gives up a page of its memory at its next reset.",
        "field 31; not applicable to GPUs that replace rows, Ampere and newer",
    ),
    flag(
        "gpu.memory_unrepairable",
        "NVIDIA's driver holds the memory of a GPU for damaged beyond repair.",
        "nvmlDeviceGetUnrepairableMemoryFlag_v1",
        urgent=True,
    ),
    flag(
        "gpu.repair_pending",
        "A GPU repairs a channel or a TPC at its next reset.",
        "nvmlDeviceGetRepairStatus",
    ),
)
