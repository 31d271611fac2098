"""A cloud's machine is known by its firmware; nobody is asked for it."""

from pathlib import Path

import pytest

from agent.host.clouds import dmi
from agent.host.clouds.facts import Provider
from agent.host.linux import Host

AZURE = "7783-7084-3265-9085-8269-3286-77"


@pytest.mark.parametrize(
    ("words", "provider"),
    [
        ({"sys_vendor": "Amazon EC2", "product_name": "p5.48xlarge"}, Provider.AWS),
        ({"sys_vendor": "Xen", "bios_version": "4.11.amazon"}, Provider.AWS),
        ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, Provider.GCP),
        (
            {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": AZURE},
            Provider.AZURE,
        ),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, None),
        ({"sys_vendor": "Xen", "bios_version": "4.17"}, None),
        ({"sys_vendor": "Google", "product_name": "Pixelbook"}, None),
        ({"sys_vendor": "Supermicro", "chassis_asset_tag": "Chassis Asset Tag"}, None),
        ({}, None),
    ],
)
def test_a_cloud_is_known_by_its_firmware(words: dict[str, str], provider: Provider | None) -> None:
    assert dmi.told(words) is provider


async def test_the_firmware_of_the_host_is_read_and_not_that_of_the_container(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_name").write_text("Google Compute Engine\n")

    assert await Host(root=tmp_path).provider() is Provider.GCP


async def test_a_machine_without_such_firmware_is_nobodys(tmp_path: Path) -> None:
    assert await Host(root=tmp_path).provider() is None
