"""Where the stand-in for NVML is built, once for all tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where libraries stay that were built before."""
    return tmp_path_factory.mktemp("nvml")
