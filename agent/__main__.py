"""The agent's own process, told by its environment how to run: what `nodemend agent` becomes.

To read a command line takes more memory than most of what an agent does, and it would be kept for
ever on every node. So what was read is put into the environment, and this takes its place.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agent import settings
from agent.identity import IdentityError
from nodehealth.kit import logs
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors

CONFIG: Final = "AGENT_CONFIG"
"""The YAML file with the probes' settings."""
CONTEXT: Final = "KUBE_CONTEXT"
"""The context of the kubeconfig, which $KUBECONFIG names as everywhere."""
JSON_LOGS: Final = "JSON_LOGS"
VERBOSE: Final = "VERBOSE"
_USAGE: Final = 2
_SPARING: Final = {"SSL_CERT_FILE": os.devnull, "FROZENLIST_NO_EXTENSIONS": "1"}
"""Has aiohttp not read the certificates that a system trusts, which it does when it is imported and
of which an agent needs none then, nor load the library of C++ for one list: 3 MiB."""


def run(environ: Mapping[str, str]) -> None:
    """Observe this machine until told to end; what a person can mend is said in one line."""
    level = logging.DEBUG if environ.get(VERBOSE) else logging.INFO
    logs.setup(level, json=bool(environ.get(JSON_LOGS)))
    try:
        chosen = chosen_by(environ)
        config = _path(environ, "KUBECONFIG")
        with _set(_SPARING):
            from agent import main  # noqa: PLC0415 - it imports aiohttp
        asyncio.run(main.serve(chosen, config=config, context=environ.get(CONTEXT)))
    except (SettingsError, IdentityError, errors.KubeError) as wrong:
        sys.stderr.write(f"nodemend: {wrong}\n")
        sys.exit(_USAGE)


def chosen_by(environ: Mapping[str, str]) -> settings.Settings:
    """Return the settings that the environment names.

    Raises:
        nodehealth.kit.settings.SettingsError: something that was set is wrong.
    """
    chosen = settings.load(environ, file=_path(environ, CONFIG))
    settings.check_root(chosen)
    return chosen


@contextlib.contextmanager
def _set(some: Mapping[str, str]) -> Iterator[None]:
    """Set some variables of the environment for a while."""
    before = {name: os.environ[name] for name in some if name in os.environ}
    os.environ.update(some)
    try:
        yield
    finally:
        for name in some:
            del os.environ[name]
        os.environ.update(before)


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    said = environ.get(name)
    return Path(said) if said else None


if __name__ == "__main__":
    run(os.environ)
