"""`nodemend node`: what a repair Pod runs on a node, and a person at its console may, too."""

import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from nodehealth import quantities
from nodehealth.kit.settings import SettingsError
from nodehealth.outcome import EXIT_CODES, MESSAGE_FILE, Result
from nodemend import complaints
from nodemend.mending import ending, places, reboot, reset, restart, running
from nodemend.mending.machine import ANSWER, Machine
from nodemend.mending.running import Frame

BootId: TypeAlias = Annotated[
    str, typer.Option(help="Refuse in any other boot than this; else whichever it is.")
]
Root: TypeAlias = Annotated[
    Path | None, typer.Option(help="The host's root directory; else $HOST_ROOT, else /.")
]
Deadline: TypeAlias = Annotated[str, typer.Option(help="How long it may take altogether.")]
MessageFile: TypeAlias = Annotated[
    Path, typer.Option(help="Where the outcome goes, as JSON; the usual one only if it is there.")
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
]

NVIDIA_SMI: Final = "NODEMEND_NVIDIA_SMI"
SYSTEMCTL: Final = "NODEMEND_SYSTEMCTL"
"""In the environment: how these are called, where it is not as on known systems.

They are no options: who may choose the words of a repair Pod must not choose the program, too.
"""
REBOOT_WAIT: Final = "5m"


def add(root: typer.Typer) -> None:
    """Put the command and those below it under the command line."""
    below = typer.Typer(no_args_is_help=True)
    below.callback()(node)
    below.command("reset-gpu")(reset_gpu)
    below.command("reboot")(reboot_machine)
    below.command("restart-service")(restart_service)
    root.add_typer(below, name="node")


def node() -> None:
    """Mend this very machine, as repair Pods do: reset GPUs, reboot, restart a service.

    Each exits with 0 when it is done, 1 when it failed, 3 when it refused and did nothing.
    """


def reset_gpu(
    *,
    gpu: Annotated[list[str], typer.Option(help="The UUID of a GPU; may be given many times.")],
    boot_id: BootId = "",
    root: Root = None,
    deadline: Deadline = "10m",
    wait: Annotated[str, typer.Option(help="How long those who use a GPU may take to go.")] = "2m",
    answer: Annotated[str, typer.Option(help="How long the driver may take to answer.")] = "1m",
    resetting: Annotated[str, typer.Option(help="How long nvidia-smi may take.")] = "3m",
    only_if_needed: Annotated[
        bool, typer.Option("--only-if-needed", help="Leave GPUs alone that the driver finds well.")
    ] = False,
    dry_run: DryRun = False,
    message_file: MessageFile = Path(MESSAGE_FILE),
) -> None:
    """Reset GPUs that nobody uses, with all that NVLink connects with them; verify; restore.

    The agent closes NVML meanwhile by itself. Everything else that uses these GPUs must be moved
    off first, exporters and the device plugin too: who is still there after --wait is named, and
    nothing is reset. Find UUIDs with `nvidia-smi -L`.
    """
    with complaints.said():
        machine = _machine(root, answer=_span("--answer", answer))
        order = reset.Order(
            gpus=tuple(dict.fromkeys(gpu)),
            patience=_span("--wait", wait),
            resetting=_span("--resetting", resetting),
            only_if_needed=only_if_needed,
        )
        frame = _frame(machine, boot_id, deadline, message_file, dry=dry_run)
    if os.geteuid():
        _say("not run by root: what other users' processes hold cannot be seen")
    work = reset.rehearse if dry_run else reset.reset
    _end(frame, lambda: work(order, machine.for_reset()))


def reboot_machine(
    *,
    boot_id: BootId = "",
    root: Root = None,
    deadline: Deadline = "10m",
    wait: Annotated[str, typer.Option(help="How long systemd may take to go down.")] = REBOOT_WAIT,
    force: Annotated[
        bool, typer.Option("--force", help="Then have the kernel start anew, without stopping.")
    ] = False,
    dry_run: DryRun = False,
    message_file: MessageFile = Path(MESSAGE_FILE),
) -> None:
    """Reboot the machine in order: disks first, then systemd; drain its Node before.

    It is done when systemd takes it along. Who is still there after --wait has failed, or with
    --force has the kernel start anew at once (sysrq), which loses what was not written.
    """
    with complaints.said():
        machine = _machine(root)
        order = reboot.Order(patience=_span("--wait", wait), force=force)
        frame = _frame(machine, boot_id, deadline, message_file, dry=dry_run)
        if order.patience >= frame.deadline:
            expected = f"expected less than the {deadline} of --deadline"
            raise SettingsError(f"--wait: {expected}, got {wait}")
    bench = machine.for_reboot(lambda words: _leave(frame, words))
    work = reboot.rehearse if dry_run else reboot.reboot
    _end(frame, lambda: work(order, bench))


def restart_service(
    *,
    service: Annotated[str, typer.Option(help="One of the services that may be restarted.")],
    boot_id: BootId = "",
    root: Root = None,
    deadline: Deadline = "5m",
    wait: Annotated[str, typer.Option(help="How long it may take to be up again.")] = "90s",
    dry_run: DryRun = False,
    message_file: MessageFile = Path(MESSAGE_FILE),
) -> None:
    """Restart a service of the operating system, and see that it stays up.

    Only services may be restarted whose restart leaves running containers alone, such as kubelet
    and containerd; who asks for another is told which.
    """
    with complaints.said():
        machine, patience = _machine(root), _span("--wait", wait)
        frame = _frame(machine, boot_id, deadline, message_file, dry=dry_run)
    work = restart.rehearse if dry_run else restart.restart

    async def ordered() -> str:
        order = restart.Order(service=restart.service(service), patience=patience)
        return await work(order, machine.for_restart())

    _end(frame, ordered)


def _machine(root: Path | None, *, answer: timedelta = ANSWER) -> Machine:
    where = root or Path(os.environ.get("HOST_ROOT", "/"))
    if not (where / "proc").is_dir():
        expected = "expected the root directory of a host"
        raise SettingsError(f"{where}: {expected}, found no directory proc in it")
    return Machine(
        root=where,
        nvidia_smi=shlex.split(os.environ.get(NVIDIA_SMI, ""))
        or places.nvidia_smi(where, Path.exists),
        systemctl=shlex.split(os.environ.get(SYSTEMCTL, "")) or (*places.host(where), "systemctl"),
        say=_say,
        answer=answer,
    )


def _frame(
    machine: Machine, boot_id: str, deadline: str, message_file: Path, *, dry: bool
) -> Frame:
    if not ending.may_hold(message_file):
        expected = "expected an empty file, or one with earlier last words"
        raise SettingsError(f"--message-file {message_file}: {expected}, found another")
    return Frame(
        ordered_boot=boot_id,
        boot_id=machine.boot_id(),
        deadline=_span("--deadline", deadline),
        message_file=message_file,
        say=_say,
        dry=dry,
    )


def _span(option: str, text: str) -> timedelta:
    try:
        return quantities.duration(text)
    except ValueError as wrong:
        raise SettingsError(f"{option}: {wrong}") from wrong


def _leave(frame: Frame, words: str) -> None:
    running.leave(frame, Result.DONE, words)


def _say(words: str) -> None:
    try:
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody listens; what is under way must go on all the same
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as we live


def _end(frame: Frame, work: Callable[[], Awaitable[str]]) -> None:
    raise typer.Exit(EXIT_CODES[running.mend(frame, work).result])
