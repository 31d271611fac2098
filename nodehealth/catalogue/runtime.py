"""Signals of the container runtime, by its own interface, and of the services that pods need."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

_WHY: Final = {"why": FieldType.STRING}
_UNASKED: Final = "The runtime answered before in this boot, and does not now, or not in time."
_ROOM: Final = (
    "ImageFsInfo over the CRI for the folder, statvfs(3) for the filesystem that it lies on; not "
    "applicable until the runtime answered in this boot"
)

_CRI: Final = (
    Signal(
        name="runtime.not_ready",
        kind=Kind.LEVEL,
        about="The container runtime answers and says that it is not ready.",
        subject="",
        source="Status over the CRI: condition RuntimeReady, whose reason is `why`; not applicable "
        "until it answered in this boot",
        unit=Unit.BOOLEAN,
        fields=_WHY,
        unknown=_UNASKED,
    ),
    Signal(
        name="runtime.network_not_ready",
        kind=Kind.LEVEL,
        about="The container runtime has no network for pods, as when no CNI plugin is set up.",
        subject="",
        source="Status over the CRI: condition NetworkReady, whose reason is `why`; likewise",
        unit=Unit.BOOLEAN,
        fields=_WHY,
        unknown=_UNASKED,
    ),
    Signal(
        name="runtime.list_seconds",
        kind=Kind.LEVEL,
        about="How long the runtime takes to list its pods and containers: the kubelet does so all "
        "the time, and says that PLEG is not healthy when it takes minutes.",
        subject="",
        source="ListPodSandbox and ListContainers over the CRI; no more than the agent's patience, "
        "15 s if its settings say nothing else; likewise",
        unit=Unit.SECONDS,
        grid=grids.FIVE_SECONDS,
        unknown=_UNASKED,
    ),
    Signal(
        name="runtime.start_seconds",
        kind=Kind.LEVEL,
        about="For how long the container has waited to be started that was made first of those "
        "that were not started yet: the kubelet starts each as soon as it is made.",
        subject="",
        source="ListContainers over the CRI: containers in state CREATED; likewise",
        unit=Unit.SECONDS,
        grid=grids.ONE_MINUTE,
        unknown=_UNASKED,
    ),
    Signal(
        name="runtime.images_free_ratio",
        kind=Kind.LEVEL,
        about="Share of free space where the runtime has its images and layers.",
        subject="",
        source=_ROOM,
        unit=Unit.RATIO,
        healthy=1.0,
        grid=grids.ROOM_LEFT,
        fields={"folder": FieldType.STRING},
        unknown="The runtime does not say where, or statvfs did not return in time.",
    ),
    Signal(
        name="runtime.images_free_inodes_ratio",
        kind=Kind.LEVEL,
        about="Share of free inodes where the runtime has its images and layers.",
        subject="",
        source=f"{_ROOM}, and where a filesystem makes inodes as it needs them",
        unit=Unit.RATIO,
        healthy=1.0,
        grid=grids.ROOM_LEFT,
        fields={"folder": FieldType.STRING},
        unknown="The runtime does not say where, or statvfs did not return in time.",
    ),
)

_SERVICES: Final = (
    Signal(
        name="service.failed",
        kind=Kind.LEVEL,
        about="A service of the host has failed, and systemd does not start it again by itself.",
        subject="unit, such as kubelet.service",
        source="systemd, over /run/systemd/private: ActiveState is `failed`; `result` is why it "
        "ended, such as exit-code, signal, timeout, oom-kill or start-limit-hit; not applicable "
        "where there is no systemd",
        unit=Unit.BOOLEAN,
        fields={"result": FieldType.STRING},
        unknown="systemd does not answer, or answers only others.",
    ),
    Signal(
        name="service.restarts",
        kind=Kind.EVENT,
        about="systemd started a service again that had ended.",
        subject="unit, such as kubelet.service",
        source="growth of NRestarts, over /run/systemd/private; what a person starts is not in it",
    ),
)

SIGNALS: Final = (*_CRI, *_SERVICES)
