"""Machine: the custom resource of the simulated machine owner, one for each node, named alike."""

from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Meta

from nodehealth import crds
from nodehealth.kube.objects import Object, Resource, Struct

GROUP: Final = "simulator.nodemend.dev"
FINALIZER: Final = f"{GROUP}/machine"
REBOOT_ANNOTATION: Final = f"{GROUP}/reboot"
"""Set to a key that was not used before, it reboots the machine once."""
FAULT_ANNOTATION: Final = f"{GROUP}/fault"
REAL_AGENT_ANNOTATION: Final = f"{GROUP}/real-agent"
"""Is on a machine whose agent is none of the simulator's: it reports what it sees itself."""
"""Set to the name of a fault, or to `{xid: {code: 79}}`, it makes the machine sick."""
SCHEME: Final = "sim://"
REBOOTS_KEPT: Final = 32

Name = Annotated[str, Meta(max_length=253)]


class Phase(StrEnum):
    """Where a machine is in its life."""

    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    TERMINATING = "Terminating"
    OFF = "Off"


class Power(StrEnum):
    """Whether a machine is on."""

    ON = "On"
    OFF = "Off"


class MachineSpec(Struct, frozen=True, kw_only=True):
    """What machine is wanted."""

    power: Power = Power.ON
    pool: Name = ""


class MachineStatus(Struct, frozen=True, kw_only=True):
    """What machine there is."""

    phase: Phase = Phase.PROVISIONING
    power: Power = Power.OFF
    node_uid: Name = ""
    provider_id: Name = ""
    boot_id: Name = ""
    reboots: Annotated[tuple[Name, ...], Meta(max_length=REBOOTS_KEPT)] = ()
    """The keys of the last reboots, so that none happens twice."""


class Machine(Object, frozen=True, kw_only=True):
    """One simulated machine."""

    spec: MachineSpec = MachineSpec()
    status: MachineStatus = MachineStatus()


MACHINES: Final = Resource(
    group=GROUP,
    version="v1",
    plural="machines",
    kind="Machine",
    namespaced=False,
    type=Machine,
)

DEFINITION: Final = crds.Definition(
    resource=MACHINES,
    spec=MachineSpec,
    status=MachineStatus,
    short="sm",
    columns=(
        crds.Column(name="Pool", path=".spec.pool"),
        crds.Column(name="Phase", path=".status.phase"),
        crds.Column(name="Power", path=".status.power"),
        crds.Column(name="Fault", path=".metadata.annotations.simulator\\.nodemend\\.dev/fault"),
        crds.Column(name="Provider", path=".status.providerID", wide=True),
        crds.Column(name="Age", path=".metadata.creationTimestamp", type="date"),
    ),
    guards={},
)


def provider_id(uid: str) -> str:
    """Return what Node.spec.providerID says of the machine of this UID."""
    return f"{SCHEME}{uid}"


def manifest() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return crds.manifest(DEFINITION)
