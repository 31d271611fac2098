"""Signals of what a node can run out of without being full, and of what it waits for."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="cpu.pressure_some_avg300",
        kind=Kind.LEVEL,
        about="Share of the last five minutes in which some task waited for a processor.",
        subject="",
        source="/proc/pressure/cpu: avg300 of `some`; told as 0 or a half: it becomes a half at "
        "three quarters, and 0 again below one; not applicable where the kernel has no PSI",
        unit=Unit.RATIO,
        grid=grids.HALVES,
    ),
    Signal(
        name="io.pressure_full_avg300",
        kind=Kind.LEVEL,
        about="Share of the last five minutes in which every task that had work waited for disks.",
        subject="",
        source="/proc/pressure/io: avg300 of `full`; told as 0 or a half: it becomes a half at "
        "three quarters, and 0 again below one; network filesystems count; not applicable where "
        "the kernel has no PSI",
        unit=Unit.RATIO,
        grid=grids.HALVES,
    ),
    Signal(
        name="limits.threads_free_ratio",
        kind=Kind.LEVEL,
        about="Share of the threads that the kernel allows which may still start; at most a half.",
        subject="",
        source="/proc/loadavg against the lower of kernel.pid_max and kernel.threads-max; what a "
        "control group allows is another limit",
        unit=Unit.RATIO,
        healthy=0.5,
        grid=grids.FIVE_PERCENT,
    ),
    Signal(
        name="limits.files_free_ratio",
        kind=Kind.LEVEL,
        about="Share of the open files that the kernel allows which are left; at most a half.",
        subject="",
        source="/proc/sys/fs/file-nr; what a process allows itself is another limit",
        unit=Unit.RATIO,
        healthy=0.5,
        grid=grids.FIVE_PERCENT,
    ),
    Signal(
        name="limits.inotify_exhausted",
        kind=Kind.LEVEL,
        about="Root cannot watch another file: kubelet, runtime and log collectors are refused.",
        subject="",
        source="inotify_init1(2) and inotify_add_watch(2), given back at once: all of root's are "
        "of one stock; `what` is instances or watches",
        unit=Unit.BOOLEAN,
        fields={"what": FieldType.STRING},
        unknown="The agent itself could open no file, or a sandbox forbids the question.",
    ),
    Signal(
        name="processes.zombies",
        kind=Kind.LEVEL,
        about="Processes that have ended and whose parents never ask how, in steps of 250.",
        subject="",
        source="/proc/*/stat: state Z",
        grid=grids.QUARTER_OF_A_THOUSAND,
    ),
    Signal(
        name="processes.stuck",
        kind=Kind.LEVEL,
        about="Processes that have slept for minutes where nothing can end them.",
        subject="",
        source="/proc/*/stat: state D in 5 looks in a row and for 4 minutes, if the agent's "
        "settings do not say otherwise, without having done anything in between; the kernel's own "
        "threads do not count; `names` are up to three of theirs",
        fields={"names": FieldType.STRING},
    ),
    Signal(
        name="runtime.restarts",
        kind=Kind.EVENT,
        about="A service that pods depend on has started anew.",
        subject="name of its process, such as kubelet or containerd",
        source="/proc/*/stat: the oldest child of process 1 of that name began at another time "
        "than before in this boot; several starts between two looks are one",
    ),
    Signal(
        name="kernel.unclean_boot",
        kind=Kind.EVENT,
        about="The machine booted without having been shut down: it crashed or lost its power.",
        subject="",
        source="/var/log/wtmp: between the last two boots no shutdown was written; where there is "
        "no wtmp, a record of the kernel in /sys/fs/pstore or /var/lib/systemd/pstore as old as "
        "this boot, or another boot id than the agent kept, which was alive until then and not "
        "told to end. `why` is `panic` where there is such a record, else `no shutdown`; `records` "
        "names up to three; `boot` is the id of the boot that ended so, where an agent kept it. "
        "Not said of a machine's first boot",
        fields={
            "why": FieldType.STRING,
            "records": FieldType.STRING,
            "boot": FieldType.STRING,
        },
    ),
)
