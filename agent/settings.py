"""What an operator may set, in the environment and in a YAML file."""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from agent.host.complaints import own
from agent.host.complaints.own import Patterns
from agent.host.kmsg import KMSG
from agent.host.linux import BOOT_ID
from agent.host.nvml.settings import Nvml
from agent.probe import Probe
from nodehealth.kit import discovery
from nodehealth.kit import settings as written
from nodehealth.kit.settings import SettingsError

logger = logging.getLogger(__name__)

PROBES: Final = "agent.probes"
STATE_FILE: Final = Path("/var/lib/nodemend/agent.json")
VERSION: Final = "AGENT_VERSION"
"""Who starts an agent may know its version already."""
PATTERNS: Final = Path("/etc/nodemend-patterns")
_KNOWN: Final = ("probes", "nvml", "patterns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one agent runs."""

    node: str = ""
    """The Node's name; empty means the one that the agent's token names."""
    node_uid: str = ""
    """Its UID; likewise."""
    root: Path = Path("/")
    """Where the host's root directory is mounted."""
    boot_id: Path = BOOT_ID
    """The file that tells one boot from the next."""
    kmsg: Path = KMSG
    """The kernel's log, or a FIFO or a file in its place."""
    state_file: Path = STATE_FILE
    """What must survive a restart; a host path in a cluster."""
    listen: str = ""
    """Where metrics and health are told, such as `:9100`; empty means nowhere."""
    probes: Mapping[str, Probe] = field(default_factory=dict)
    """By name; all that exist unless the file says `off`."""
    nvml: Nvml | None = field(default_factory=Nvml)
    """How NVIDIA's driver is asked; nothing where the file says `off`."""
    patterns: Patterns = field(default_factory=Patterns)
    """Which lines of the kernel's log the operator wants to hear of."""
    version: str = ""
    """What the agent calls its own version."""


def load(environ: Mapping[str, str], *, file: Path | None = None) -> Settings:
    """Put together what the environment, the file and the defaults say, in this order.

    The environment's words are NODE_NAME, NODE_UID, HOST_ROOT, BOOT_ID_FILE, KMSG_PATH, STATE_FILE,
    LISTEN, AGENT_VERSION and NVML_LIBRARIES, folders with colons between them.

    Raises:
        nodehealth.kit.settings.SettingsError: the file cannot be read, or says what no agent
            understands.
    """
    said = _read(file) if file else {}
    libraries = tuple(filter(None, environ.get("NVML_LIBRARIES", "").split(":")))
    return Settings(
        node=environ.get("NODE_NAME", ""),
        node_uid=environ.get("NODE_UID", ""),
        root=Path(environ.get("HOST_ROOT", "/")),
        boot_id=Path(environ.get("BOOT_ID_FILE", BOOT_ID)),
        kmsg=Path(environ.get("KMSG_PATH", KMSG)),
        state_file=Path(environ.get("STATE_FILE", STATE_FILE)),
        listen=environ.get("LISTEN", ""),
        probes=_probes(_named(said, file), f"{file}: probes" if file else "probes"),
        nvml=_nvml(said.get("nvml"), libraries, f"{file}: nvml"),
        patterns=_patterns(said.get("patterns", str(PATTERNS)), f"{file}: patterns"),
        version=environ[VERSION] if VERSION in environ else installed(),
    )


def check_root(settings: Settings) -> None:
    """Make sure that there is a host to look at: of one that is not there, nothing looks sick.

    Raises:
        nodehealth.kit.settings.SettingsError: the host's root directory is none.
    """
    if not (settings.root / "proc").is_dir():
        expected = "expected the root directory of a host"
        raise SettingsError(f"{settings.root}: {expected}, found no directory proc in it")


def installed() -> str:
    """Return the version that is installed, at the cost of a megabyte for as long as one lives."""
    from importlib import metadata  # noqa: PLC0415 - the agent is told its version

    try:
        return metadata.version("nodemend")
    except metadata.PackageNotFoundError:
        return ""  # run from a source tree


def _read(file: Path) -> Mapping[str, object]:
    """Return what a file says."""
    try:
        said = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise SettingsError(f"{file}: expected a file, {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{file}: expected YAML: {error}") from error
    if not isinstance(said, dict | None):
        raise SettingsError(f"{file}: expected settings by name, got {said!r}")
    unknown = sorted(map(str, set(said or {}) - set(_KNOWN)))
    if unknown:
        known = ", ".join(_KNOWN)
        raise SettingsError(f"{file}: {unknown[0]}: unknown setting; known are {known}")
    return said or {}


def _named(said: Mapping[str, object], file: Path | None) -> Mapping[str, object]:
    """Return what a file says of each probe."""
    probes = said.get("probes")
    if not isinstance(probes, dict | None):
        raise SettingsError(f"{file}: probes: expected probes by name, got {probes!r}")
    return probes or {}


def _nvml(said: object, libraries: tuple[str, ...], path: str) -> Nvml | None:
    """Return how NVML is asked, unless it is put off."""
    if said is False:  # YAML's `off`
        return None
    chosen = written.read(Nvml, said, path)
    named = isinstance(said, dict) and "libraries" in said
    return dataclasses.replace(chosen, libraries=libraries) if libraries and not named else chosen


def _patterns(said: object, path: str) -> Patterns:
    """Read the patterns of a folder; what is wrong with one of them stops no agent."""
    if not isinstance(said, str):
        raise SettingsError(f"{path}: expected the path of a folder, got {said!r}")
    found = own.below(Path(said))
    for problem in found.problems:
        logger.warning("a pattern is not looked for: %s", problem)
    return found


def _probes(given: Mapping[str, object], path: str) -> Mapping[str, Probe]:
    """Make every probe that exists with its settings, but for those that are put off."""
    for name in given:
        discovery.find(Probe, PROBES, str(name), path=path)
    return {
        name: discovery.make(Probe, PROBES, name, given.get(name), path=path)
        for name in discovery.names(PROBES)
        if given.get(name) is not False  # YAML's `off`
    }
