"""The labels that we put on Nodes: to move those off who hold GPUs, and to set a Node apart."""

from collections.abc import Mapping
from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.kube import patches
from nodehealth.kube.objects import Node
from nodehealth.kube.patches import Operation

_NOTE: Final = patches.pointer("metadata", "annotations", keys.GPU_CLIENTS_ANNOTATION)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What we made of a label."""

    became: str
    was: str | None = None
    """Nothing where there was no such label."""


def are_put_on(node: Node) -> bool:
    """Say whether a Node has labels of ours that are to be put back."""
    return keys.GPU_CLIENTS_ANNOTATION in node.metadata.annotations


def put_on(node: Node, wanted: Mapping[str, str]) -> list[Operation]:
    """Label a Node that has an annotation already, and note in another one what was there."""
    present = node.metadata.labels
    note = {key: Label(became=value, was=present.get(key)) for key, value in wanted.items()}
    changes = [patches.add(_NOTE, msgspec.json.encode(note).decode())]
    if not present:
        return [*changes, patches.add("/metadata/labels", dict(wanted))]
    return [*changes, *(patches.add(_label(key), value) for key, value in wanted.items())]


def put_back(node: Node) -> list[Operation]:
    """Undo that, where nobody made anything else of a label meanwhile."""
    if not are_put_on(node):
        return []
    present, changes = node.metadata.labels, [patches.remove(_NOTE)]
    for key, label in _noted(node).items():
        if present.get(key) != label.became:
            continue
        changes.append(patches.test(_label(key), label.became))
        was = label.was
        changes.append(patches.remove(_label(key)) if was is None else _set(key, was))
    return changes


def set_apart(node: Node, why: str) -> list[Operation]:
    """Label a Node that gets no remedy any more, so that people find it."""
    if not node.metadata.labels:
        return [patches.add("/metadata/labels", {keys.QUARANTINE_LABEL: why})]
    return [_set(keys.QUARANTINE_LABEL, why)]


def let_in(node: Node) -> list[Operation]:
    """Undo that."""
    there = keys.QUARANTINE_LABEL in node.metadata.labels
    return [patches.remove(_label(keys.QUARANTINE_LABEL))] if there else []


def _noted(node: Node) -> Mapping[str, Label]:
    """Read the note; one that somebody made unreadable says nothing."""
    try:
        written = node.metadata.annotations[keys.GPU_CLIENTS_ANNOTATION]
        return msgspec.json.decode(written, type=dict[str, Label])
    except msgspec.DecodeError:
        return {}


def _set(key: str, value: str) -> Operation:
    return patches.add(_label(key), value)


def _label(key: str) -> str:
    return patches.pointer("metadata", "labels", key)
