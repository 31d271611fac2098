"""The example in docs/providers.md is a web service that the provider understands."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodehealth.kit import discovery
from nodehealth.kube.client import Client
from nodehealth.repair import Target
from remediator import providers
from remediator.files import owner
from remediator.providers import MachineState, Power, Provider, UnableError
from tests.nodehealth.kube.fakes import Scripted

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"
NOBODY = Client(Scripted(), manager="test")
discovery.find(Provider, providers.__name__, "webhook")  # modules are found before a loop runs


@pytest.fixture
def example(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Run the example, and return the settings of a provider that asks it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script, secret = tmp_path / "owner.py", tmp_path / "secret"
    script.write_text(code)
    secret.write_text("hush\n")
    command = [sys.executable, str(script), "0", str(secret)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        port = running.stdout.readline().strip()
        yield {"url": f"http://127.0.0.1:{port}/", "secretFile": str(secret)}
        running.kill()


def machine(name: str) -> Target:
    return Target(node="n1", node_uid="uid-n1", provider_id=f"lab://{name}")


async def test_the_example_plays_its_part(example: dict[str, str]) -> None:
    provider = owner("webhook", example)
    assert provider is not None

    before = await provider.power(machine("1"), NOBODY)
    await provider.fence(machine("1"), "k1", NOBODY)
    off = await provider.power(machine("1"), NOBODY)
    await provider.power_cycle(machine("1"), "k2", NOBODY)
    on = await provider.power(machine("1"), NOBODY)
    await provider.replace(machine("1"), "k3", NOBODY)

    assert (before, off, on) == (Power.ON, Power.OFF, Power.ON)
    assert await provider.power(machine("1"), NOBODY) is Power.GONE
    assert await provider.state(machine("1"), NOBODY) is MachineState.LEAVING
    assert await provider.power(machine("2"), NOBODY) is Power.ON


async def test_the_example_knows_nothing_of_other_machines(example: dict[str, str]) -> None:
    provider = owner("webhook", example)
    assert provider is not None

    assert await provider.state(machine("9"), NOBODY) is MachineState.FOREIGN
    with pytest.raises(UnableError, match="none of our machines"):
        await provider.fence(machine("9"), "k1", NOBODY)
