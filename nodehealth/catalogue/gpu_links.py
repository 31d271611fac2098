"""Signals of what connects GPUs: PCIe, NVLink and its fabric."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.catalogue.gpu_words import GPU, UNASKED, flag
from nodehealth.signals import FieldType, Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="gpu.pcie_lanes",
        kind=Kind.LEVEL,
        about="How many PCIe lanes a GPU is connected by.",
        subject=GPU,
        source="current_link_width in sysfs, or nvmlDeviceGetCurrPcieLinkWidth; `expected` is what "
        "the agent's settings say, else the most in this boot, or what both ends are made for",
        fields={"expected": FieldType.INT},
        unknown=UNASKED,
    ),
    flag(
        "gpu.pcie_slow",
        "A GPU at work is connected by a slower PCIe generation than both ends are made for.",
        "nvmlDeviceGetCurrPcieLinkGeneration below nvmlDeviceGetMaxPcieLinkGeneration while its "
        "performance state is P0 and it works; what was seen then stands while it rests",
        fields=("generation", "expected"),
    ),
    Signal(
        name="gpu.pcie_replays",
        kind=Kind.LEVEL,
        about="PCIe packets a second that had to be sent to or by a GPU again.",
        subject=GPU,
        source="growth of field 94, or nvmlDeviceGetPcieReplayCounter, between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.QUARTER_A_SECOND,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.nvlinks_down",
        kind=Kind.LEVEL,
        about="NVLinks of a GPU that are not active.",
        subject=GPU,
        source="nvmlDeviceGetNvLinkState of each of the `links` that field 91 counts; `down` names "
        "those that are not; the agent's settings may say how many are to be; not applicable in "
        "MIG mode, without NVLink, and until one was active in this boot",
        fields={"links": FieldType.INT, "down": FieldType.STRING},
        urgent=True,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.nvlink_peers_missing",
        kind=Kind.LEVEL,
        about="How many devices the NVLinks of a GPU do not lead to any more.",
        subject=GPU,
        source="nvmlDeviceGetNvLinkRemotePciInfo_v2 of each active link; `peers` is how many "
        "different ones there were at most in this boot; not applicable likewise",
        fields={"peers": FieldType.INT},
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.nvlink_crc_errors",
        kind=Kind.LEVEL,
        about="Damaged packets a second on the NVLinks of a GPU.",
        subject=GPU,
        source="growth of fields 38 + 45, or 163 of each link, between two looks; not applicable "
        "to NVLink 5",
        unit=Unit.PER_SECOND,
        grid=grids.TEN_A_SECOND,
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.nvlink_recoveries",
        kind=Kind.EVENT,
        about="An NVLink of a GPU had to send again or to be trained again.",
        subject=GPU,
        source="growth of fields 52 + 59, or 161 + 162 of each link; of NVLink 5, of 215",
    ),
    Signal(
        name="gpu.nvlink_errors",
        kind=Kind.EVENT,
        about="An NVLink 5 of a GPU lost or damaged packets.",
        subject=GPU,
        source="growth of fields 206 to 212, 214 and 219 of each link",
    ),
    flag(
        "gpu.fabric_unhealthy",
        "A GPU is not, or not wholly, part of its NVLink fabric.",
        "nvmlDeviceGetGpuFabricInfoV: the state is not completed, the status not success, or a "
        "part of the health mask is bad; `why` says which; not applicable without a fabric",
        fields=("why",),
        urgent=True,
    ),
)
