"""Reads deploy/ as kustomize does, as far as deploy/ goes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from nodehealth import keys

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
PROGRAMS: Final = ("daemonset", "remediator")
_NAMES: Final = ("kustomization.yaml", "Kustomization")


def kustomization(folder: Path) -> Mapping[str, Any]:
    """Read a folder's kustomization."""
    path = next(folder / name for name in _NAMES if (folder / name).exists())
    found: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def folders(folder: Path) -> Iterator[Path]:
    """Yield a folder and those that it builds upon."""
    yield folder
    for base in kustomization(folder).get("bases", ()):
        yield from folders((folder / base).resolve())


def objects(folder: Path) -> list[dict[str, Any]]:
    """Return every object that a folder makes, but for the ConfigMaps that are generated."""
    return [
        each
        for part in folders(folder)
        for name in kustomization(part).get("resources", ())
        for each in yaml.safe_load_all((part / name).read_text(encoding="utf-8"))
    ]


def named(folder: Path, kind: str, namespace: str = keys.NAMESPACE) -> dict[str, Any]:
    """Return the one object of a kind in a namespace."""
    (found,) = (
        each
        for each in objects(folder)
        if (each["kind"], each["metadata"].get("namespace")) == (kind, namespace)
    )
    return found


def configmaps(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the generated ConfigMaps: for each key the file that it holds."""
    found = {}
    for part in folders(folder):
        for each in kustomization(part).get("configMapGenerator", ()):
            pairs = (entry.rpartition("=") for entry in each["files"])
            found[each["name"]] = {key or Path(file).name: part / file for key, _, file in pairs}
    return found


def templates(folder: Path) -> list[dict[str, Any]]:
    """Return the pod specs of a folder's workloads."""
    kinds = {"DaemonSet", "Deployment"}
    return [each["spec"]["template"]["spec"] for each in objects(folder) if each["kind"] in kinds]
