"""What a kubeconfig says of one context: where the server is, how to know it, who we are."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import yaml

from nodehealth.kube.errors import SettingsError
from nodehealth.kube.objects import Struct

Entry = TypeVar("Entry")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Kebab(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Keys of a kubeconfig are in kebab-case, but for a few."""


class Cluster(_Kebab, frozen=True, kw_only=True):
    """Where a server is, and how to know that it is the right one."""

    server: str
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class User(_Kebab, frozen=True, kw_only=True):
    """Who we are to a server."""

    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    username: str = ""
    password: str = ""
    exec: Mapping[str, object] | None = None
    auth_provider: Mapping[str, object] | None = None

    @property
    def needs_a_program(self) -> bool:
        """Say whether the credentials come from a plugin or a login that somebody must run."""
        return self.exec is not None or self.auth_provider is not None


class _Context(Struct, frozen=True, kw_only=True):
    cluster: str
    user: str = ""
    namespace: str = ""


class _NamedCluster(Struct, frozen=True, kw_only=True):
    name: str
    cluster: Cluster


class _NamedUser(Struct, frozen=True, kw_only=True):
    name: str
    user: User | None = None


class _NamedContext(Struct, frozen=True, kw_only=True):
    name: str
    context: _Context


class _Kubeconfig(_Kebab, frozen=True, kw_only=True):
    current_context: str = ""
    clusters: tuple[_NamedCluster, ...] | None = None
    users: tuple[_NamedUser, ...] | None = None
    contexts: tuple[_NamedContext, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One context of a kubeconfig, resolved."""

    cluster: Cluster
    user: User
    folder: Path
    """What paths in the kubeconfig are relative to."""

    def file(self, name: str) -> Path:
        """Return the place of a file that the kubeconfig names."""
        return self.folder / name

    def content(self, data: str, name: str, what: str) -> bytes:
        """Return what a field holds inline in base64, or what its file holds.

        Raises:
            nodehealth.kube.errors.SettingsError: the file is missing, or this is no base64.
        """
        try:
            if data:
                return base64.b64decode(data, validate=True)
            return self.file(name).read_bytes() if name else b""
        except binascii.Error as garbage:
            raise SettingsError(f"{what}-data: expected base64, got {garbage}") from garbage
        except OSError as missing:
            fact = missing.strerror
            raise SettingsError(f"{what}: {self.file(name)}: expected a file, {fact}") from missing


def load(path: Path, context: str | None = None) -> Access:
    """Read one context of a kubeconfig, the current one unless another is named.

    Raises:
        nodehealth.kube.errors.SettingsError: says which file and field, what was expected there,
            and what is there.
    """
    config = _parsed(path)
    contexts = {each.name: each.context for each in config.contexts or ()}
    clusters = {each.name: each.cluster for each in config.clusters or ()}
    users = {each.name: each.user for each in config.users or ()}
    name = config.current_context if context is None else context
    chosen = _entry(f"{path}: contexts", contexts, name)
    return Access(
        cluster=_entry(f"{path}: clusters", clusters, chosen.cluster),
        user=(_entry(f"{path}: users", users, chosen.user) if chosen.user else None) or User(),
        folder=path.parent,
    )


def _parsed(path: Path) -> _Kubeconfig:
    try:
        raw = yaml.load(path.read_bytes(), _LOADER)  # noqa: S506 - a safe loader, in C where there is one
        return msgspec.convert({} if raw is None else raw, _Kubeconfig)
    except OSError as missing:
        raise SettingsError(f"{path}: expected a kubeconfig, {missing.strerror}") from missing
    except yaml.YAMLError as garbage:
        fact = " ".join(str(garbage).split())
        raise SettingsError(f"{path}: expected a kubeconfig in YAML, {fact}") from garbage
    except msgspec.ValidationError as misfit:
        raise SettingsError(f"{path}: {misfit}") from misfit


def _entry(where: str, entries: Mapping[str, Entry], name: str) -> Entry:
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise SettingsError(f"{where}: no entry named {name!r}; known are {known}")
    return entries[name]
