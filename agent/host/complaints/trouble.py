"""What the kernel says of itself: of tasks and processors that hang, of its own mistakes."""

from typing import Final

from agent.host.complaints.pattern import pattern

HUNG: Final = "kernel.hung_tasks"
LOCKUP: Final = "kernel.lockups"
ERROR: Final = "kernel.errors"
OOM: Final = "memory.oom_kills_logged"

_KILLED: Final = r"ut of memory(?: \([^)]*\))?: Kill(?:ed)? process \d+ \("

PATTERNS: Final = (
    pattern(
        HUNG,
        r"INFO: task (?P<comm>.{1,64}?):(?P<pid>\d{1,10}) blocked\s+(?:in I/O wait\s+)?"
        r"for more than \d+ seconds",
        "INFO: task ",
    ),
    pattern(
        LOCKUP,
        r"(?:NMI )?(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck for \d+s!",
        "BUG: soft lockup",
        fields={"kind": "soft"},
    ),
    pattern(
        LOCKUP,
        r"(?:NMI )?(?:watchdog: )?(?:CPU\d+: )?[Ww]atchdog detected hard LOCKUP on cpu ?\d",
        "detected hard LOCKUP",
        fields={"kind": "hard"},
    ),
    pattern(
        LOCKUP,
        r"(?:rcu: )?INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?\b",
        "INFO: rcu_",
        fields={"kind": "rcu"},
    ),
    pattern(
        ERROR,
        r"BUG: unable to handle |BUG: kernel NULL pointer dereference|general protection fault\b"
        r"|divide error: 0000\b",
        "BUG: unable to handle",
        "BUG: kernel NULL",
        "general protection fault",
        "divide error: 0000",
        fields={"kind": "fault"},
    ),
    pattern(ERROR, r"(?:Internal error: )?Oops: .*\[#\d+\]", "Oops: ", fields={"kind": "oops"}),
    pattern(ERROR, r"kernel BUG at \S+:\d+!", "kernel BUG at ", fields={"kind": "bug"}),
    pattern(
        ERROR,
        r"Kernel panic - not syncing",
        "Kernel panic - not syncing",
        fields={"kind": "panic"},
    ),
    pattern(
        OOM,
        rf"O{_KILLED}(?P<comm>.{{1,64}}?)\)",
        "Out of memory",
        fields={"scope": "system"},
    ),
    pattern(OOM, rf"Memory cgroup o{_KILLED}", "cgroup out of memory", fields={"scope": "cgroup"}),
)
