"""What the kernel says of processors, memory and the PCIe bus."""

from typing import Final

from agent.host.complaints.pattern import PCI, pattern

HARDWARE: Final = "kernel.hardware_errors"
PCIE: Final = "kernel.pcie_errors"
UNPLUGGED: Final = "kernel.pcie_unplugged"

PATTERNS: Final = (
    pattern(
        HARDWARE,
        r"(?:\{\d+\})?\[Hardware Error\]: event severity: "
        r"(?P<severity>fatal|recoverable|corrected|info)\b",
        "event severity: ",
        fields={"kind": "ghes"},
    ),
    pattern(
        HARDWARE,
        r"mce: \[Hardware Error\]: CPU \d+: (?P<severity>Machine Check(?: Exception)?): ",
        "mce: [Hardware Error]",
        fields={"kind": "mce"},
        means={"Machine Check": "corrected", "Machine Check Exception": "uncorrected"},
    ),
    pattern(
        HARDWARE,
        r"mce: \[Hardware Error\]: Machine check events logged",
        "mce: [Hardware Error]",
        fields={"kind": "mce", "severity": "unsaid"},
    ),
    pattern(
        HARDWARE,
        r"EDAC (?:\S{1,32} )?(?P<subject>MC\d{1,4}): (?P<count>\d{1,9}) (?P<severity>CE|UE) ",
        "EDAC ",
        fields={"kind": "edac"},
        means={"CE": "corrected", "UE": "uncorrected"},
    ),
    pattern(
        PCIE,
        rf"\S{{1,32}} {PCI}: (?:AER: )?PCIe Bus Error: severity=(?P<severity>Correct(?:ed|able)|"
        r"Uncorrect(?:ed|able) \((?:Non-)?Fatal\))",
        "PCIe Bus Error",
        means={
            "Corrected": "corrected",
            "Correctable": "corrected",
            "Uncorrected (Non-Fatal)": "nonfatal",
            "Uncorrectable (Non-Fatal)": "nonfatal",
            "Uncorrected (Fatal)": "fatal",
            "Uncorrectable (Fatal)": "fatal",
        },
    ),
    pattern(
        UNPLUGGED,
        r"(?:pcieport \S{1,32}: pciehp|pciehp \S{1,32}): Slot\((?P<subject>[\w-]{1,32})\): "
        r"(?P<kind>Link Down|Card not present)",
        "Link Down",
        "Card not present",
        means={"Link Down": "link-down", "Card not present": "card-gone"},
    ),
)
