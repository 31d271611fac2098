"""Whose machine this is, by what its firmware says: no cloud is asked to find out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.host import attributes
from agent.host.clouds.facts import Provider

_AZURE: Final = "7783-7084-3265-9085-8269-3286-77"
"""The asset tag of every machine of Azure; Hyper-V has the same vendor everywhere else too."""
_FILES: Final = (
    "bios_vendor",
    "bios_version",
    "chassis_asset_tag",
    "product_name",
    "sys_vendor",
)


def provider(sysfs: Path) -> Provider | None:
    """Read which cloud a machine belongs to; None for a machine of somebody's own.

    Raises:
        OSError: the firmware's words are there but cannot be read.
    """
    folder = sysfs / "class" / "dmi" / "id"
    return told({name: attributes.text(folder / name) or "" for name in _FILES})


def told(words: Mapping[str, str]) -> Provider | None:
    """Tell the cloud from the firmware's words, by the names of their files."""
    vendor, bios = words.get("sys_vendor", ""), words.get("bios_vendor", "")
    on_xen = vendor == "Xen" and words.get("bios_version", "").endswith("amazon")
    if "Amazon EC2" in {vendor, bios} or on_xen:
        return Provider.AWS
    if words.get("product_name") == "Google Compute Engine":
        return Provider.GCP
    return Provider.AZURE if words.get("chassis_asset_tag") == _AZURE else None
