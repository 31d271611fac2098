"""Signals that the remediator reads off Nodes and agents' pods, whether or not an agent speaks."""

from typing import Final

from nodehealth.keys import GPU_RESOURCES, GPUS_LABEL
from nodehealth.signals import Author, FieldType, Kind, Signal, Unit

_CONDITION: Final = {"status": FieldType.STRING, "reason": FieldType.STRING}

SIGNALS: Final = (
    Signal(
        name="node.ready",
        kind=Kind.LEVEL,
        about="The node is Ready. Status `Unknown` says that its kubelet is not heard of.",
        subject="",
        source="condition Ready of the Node: 1 for True, 0 for False and for Unknown; `why` is "
        "pleg where its message says that PLEG is not healthy, and else empty",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields={**_CONDITION, "why": FieldType.STRING},
        unknown="The Node has no condition Ready, or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="node.condition",
        kind=Kind.LEVEL,
        about="A condition of the Node is True, whoever wrote it; for Ready ask node.ready.",
        subject="type of the condition, such as MemoryPressure",
        source="the Node's conditions but nodemend's own: 1 for True, 0 for False",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields=_CONDITION,
        unknown="The condition's own status is Unknown, as all those of the kubelet are while it "
        "is not heard of, or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="node.gpu_allocatable",
        kind=Kind.LEVEL,
        about="How many GPUs the node has to give; a device plugin takes back those that are sick.",
        subject="",
        source=f"allocatable {' + '.join(GPU_RESOURCES)} of the Node; expected is the label "
        f"{GPUS_LABEL}, else the capacity; not applicable where none is expected",
        author=Author.REMEDIATOR,
        fields={"capacity": FieldType.INT, "expected": FieldType.INT},
        unknown="Without the label: the device plugin was gone for five minutes, and the capacity "
        "with it. Or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="agent.silent",
        kind=Kind.LEVEL,
        about="The node is Ready, but its agent has let three of its refreshes pass unwritten.",
        subject="",
        source="times of the NodeHealth's writes and of the agent's pod, by the API server's "
        "clock; `pod` is Ready, NotReady or Absent; not applicable where no agent ever was",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields={"pod": FieldType.STRING},
        unknown="The node itself is not Ready, its agent has just begun, or one of the "
        "remediator's watches is behind.",
    ),
)
