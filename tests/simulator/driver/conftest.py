"""A stand-in driver for each test, from one library for all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.driver import build, recording
from simulator.driver.control import Driver
from tests.lacking import lacking
from tests.simulator.driver.clients import Client


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library once."""
    folder = tmp_path_factory.getbasetemp().parent / "libnvidia-ml"
    try:
        build.build(folder)
    except build.BuildError as missing:
        lacking(str(missing))
    return folder


@pytest.fixture
def install(tmp_path: Path, library_folder: Path) -> Iterator[Callable[[str], Driver]]:
    """Return what installs a machine that comes with the simulator."""
    with Driver(tmp_path / "driver") as driver:

        def _install(name: str) -> Driver:
            driver.install(recording.load(name), cache=library_folder)
            return driver

        yield _install


@pytest.fixture
def driver(install: Callable[[str], Driver]) -> Driver:
    """Install eight H100."""
    return install("h100x8")


@pytest.fixture
def start(driver: Driver) -> Iterator[Callable[[], Client]]:
    """Return what starts processes that use the driver."""
    clients: list[Client] = []

    def _start() -> Client:
        clients.append(Client(driver))
        return clients[-1]

    yield _start
    driver.close()
    for client in clients:
        client.close()


@pytest.fixture
def client(start: Callable[[], Client]) -> Client:
    """Start one, with NVML open."""
    return start().open()
