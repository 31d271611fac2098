"""What the driver writes into the kernel's log: lines of XIDs, in records as /dev/kmsg has them."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KERNEL: Final = 0 << 3
"""The facility of what the kernel says itself."""
_ERROR: Final = 3
_NOBODY: Final = ("'<unknown>'", "<unknown>")

_WORDS: Final[Mapping[int, str]] = {
    13: "Graphics Exception: ESR 0x505730=0x109 0x505734=0x0 0x505728=0x4c1eb72 0x50572c=0x174",
    31: "Ch 00000008, intr 00000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_0 faulted @ "
    "0x7f4e_2a000000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ",
    43: "Ch 00000010",
    45: "Ch 00000012",
    48: "DBE (double bit error) ECC Error Detected on GPU in the framebuffer at partition 6, "
    "subpartition 0.",
    62: "PMU Halt Error",
    63: "Row Remapper: New row (0x00000000deadb000) marked for remapping, reset gpu to activate.",
    64: "Row Remapper: Error: no spare row is left for row (0x00000000deadb000).",
    74: "NVLink: fatal error detected on link 14(0x10000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)",
    79: "GPU has fallen off the bus.",
    92: "High single-bit ECC error rate.",
    94: "Contained: SM (0x1). RST: No, D-RST: No",
    95: "Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No",
    119: "Timeout after 45s of waiting for RPC response from GPU0 GSP! Expected function 76 "
    "(GSP_RM_CONTROL) (0x20800a4c 0x4).",
    120: "GSP task exception: GSP-CrashCat Report",
    140: "Unrecovered ECC Error: an uncorrectable ECC error was detected",
    145: "RLW_REMAP Nonfatal XC0 i0 Link 03 (0x00000004 0x80000000 0x00000000 0x00000000 "
    "0x00000000 0x00000000)",
    149: "NETIR_LINK_EVT Fatal XC0 i0 Link 03 (0x004505c6 0x00000000 0x00000000 0x00000000 "
    "0x00000000 0x00000000)",
    154: "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)",
}
_OF_A_PROCESS: Final = frozenset({13, 31, 43, 45, 119})
"""XIDs whose line names the process on whose behalf the GPU worked."""


def xid(pci: str, code: int, *, pid: int = 0, name: str = "python3", words: str = "") -> str:
    """Return the line of an XID.

    Args:
        pci: The GPU's address, such as 0000:3b:00.0.
        code: The XID.
        pid: The process that had to do with it; 0 where the driver names none.
        name: Its name.
        words: What follows; otherwise what the driver commonly says of this XID.
    """
    who = (str(pid or 4711), name) if pid or code in _OF_A_PROCESS else _NOBODY
    about = words or _WORDS.get(code, "Reported by the driver")
    address = pci.rpartition(".")[0]
    return f"NVRM: Xid (PCI:{address}): {code}, pid={who[0]}, name={who[1]}, {about}"


def kernel_lines(pci: str, code: int, *, pid: int = 0, words: str = "") -> tuple[str, ...]:
    """Return all that the driver writes when an XID happens; a lost GPU is worth two lines."""
    line = xid(pci, code, pid=pid, words=words)
    if code == 79:
        return line, f"NVRM: GPU {pci}: GPU has fallen off the bus."
    return (line,)


def sxid(pci: str, switch: int, code: int, *, fatal: bool, link: int = 0) -> str:
    """Return the line of an NVSwitch's error."""
    word = "Fatal" if fatal else "Non-fatal"
    address = pci.rpartition(".")[0]
    return f"nvidia-nvswitch{switch}: SXid (PCI:{address}): {code:05d}, {word}, Link {link:02d}"


@dataclass(slots=True, kw_only=True)
class KernelLog:
    """A file, or a FIFO that somebody reads, in place of /dev/kmsg."""

    path: Path
    clock: Callable[[], float] = time.monotonic
    """Seconds since the machine started."""
    written: int = 0

    def write(self, lines: Iterable[str], *, priority: int = _ERROR) -> None:
        """Add records, one a line; a reader gets each in one piece."""
        with self.path.open("ab", buffering=0) as log:
            for line in lines:
                head = f"{_KERNEL | priority},{self.written},{int(self.clock() * 1e6)},-"
                log.write(f"{head};{line}\n".encode())
                self.written += 1
