"""By which rules and which policy a person's question is answered, and where they come from."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Object, Resource
from nodemend import shipped
from remediator import files
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet

_POLICY: Final = keys.POLICY_CONFIG_MAP
_WHERE: Final = f"the ConfigMaps {keys.RULES_CONFIG_MAP} and {_POLICY}"


class ConfigMap(Object, frozen=True, kw_only=True):
    """Small files in the cluster."""

    data: Mapping[str, str] = {}


CONFIG_MAPS: Final = Resource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, type=ConfigMap
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Rules and policy, and whose they are."""

    rules: RuleSet
    policy: Policy
    origin: str
    """Where they were read, as the end of a sentence."""
    problem: str = ""
    """Why they can't be used, all of it; then there are no rules."""


async def read(client: Client, folder: Path | None) -> Rulebook:
    """Take the rules of a folder, else those of the cluster's remediator, else the shipped ones.

    Raises:
        remediator.rules.documents.ProblemsError: they can't be used.
    """
    if folder is not None:
        return await asyncio.to_thread(_of, folder, str(folder))
    try:
        files = [await _files(client, each) for each in (keys.RULES_CONFIG_MAP, _POLICY)]
    except (errors.GoneError, errors.ForbiddenError) as absent:
        why = "are not there" if isinstance(absent, errors.GoneError) else "are not for you to read"
        origin = f"the shipped rules and policy ({_WHERE} {why})"
        return await asyncio.to_thread(_of, shipped.RULES, origin)
    return await asyncio.to_thread(_mounted, {**files[0], **files[1]}, _WHERE)


async def _files(client: Client, name: str) -> Mapping[str, str]:
    return (await client.get(CONFIG_MAPS, name, namespace=keys.NAMESPACE)).data


async def read_leniently(client: Client, folder: Path | None) -> Rulebook:
    """Do the same, and go without rules where those of the cluster can't be used."""
    try:
        return await read(client, folder)
    except ProblemsError as wrong:
        if folder is not None:
            raise
        nothing = RuleSet(rules=(), digest="")
        return Rulebook(rules=nothing, policy=Policy(), origin=_WHERE, problem=str(wrong))


def _mounted(data: Mapping[str, str], origin: str) -> Rulebook:
    """Read the files of ConfigMaps as the remediator does: out of a folder."""
    with tempfile.TemporaryDirectory(prefix="nodemend-rules-") as place:
        for name, text in data.items():
            Path(place, name).write_text(text, encoding="utf-8")
        return _of(Path(place), origin)


def _of(folder: Path, origin: str) -> Rulebook:
    return Rulebook(
        rules=load.rules(folder, files.remedy),
        policy=load.policy(folder / load.POLICY_FILE, files.sink),
        origin=origin,
    )
