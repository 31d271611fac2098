"""An errand: one program that is sent to one node in a Pod of its own, to mend what is on it."""

from enum import StrEnum
from typing import Final

ENTRY: Final = ("nodemend", "node")
"""How the command of every errand begins: the image's own program, and nothing else."""
BOOT_ID: Final = "--boot-id"
"""The boot for which the errand is meant; in any other the program refuses."""
GPU: Final = "--gpu"
SERVICE: Final = "--service"
OPTIONS: Final = (BOOT_ID, GPU, SERVICE)
"""All that may be said to a program; who may choose its words chooses nothing else of it."""
CONTAINER: Final = "errand"
HOST_MOUNT: Final = "/host"
"""Where an errand finds its node's root directory."""
HOST_ROOT: Final = "HOST_ROOT"
"""The variable that says so."""


class Program(StrEnum):
    """What may be run on a node."""

    RESTART_SERVICE = "restart-service"
    RESET_GPU = "reset-gpu"
    REBOOT = "reboot"


def command(
    program: Program, boot_id: str, *, gpus: tuple[str, ...] = (), service: str = ""
) -> tuple[str, ...]:
    """Return the command of an errand, the boot for which it is meant always in the same place."""
    about = tuple(word for uuid in gpus for word in (GPU, uuid))
    named = (SERVICE, service) if service else ()
    return (*ENTRY, program, BOOT_ID, boot_id, *about, *named)
