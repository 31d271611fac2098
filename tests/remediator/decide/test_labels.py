"""Labels by which others give way are noted with what was there, and go back to exactly that."""

from collections.abc import Mapping
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.kube.patches import Operation
from remediator.decide import labels
from tests.builders import node

WANTED: Final = {keys.GPU_CLIENTS_LABEL: keys.PAUSED, "nvidia.com/gpu.deploy.dcgm": "false"}
NAMES: Final = st.sampled_from([*WANTED, "other/label", "a~b/c"])
LABELS: Final = st.dictionaries(NAMES, st.sampled_from(["true", "false", "paused", ""]))


def applied(seen: Node, changes: list[Operation]) -> Node:
    """Carry out a patch of labels and annotations; every test of it must hold."""
    whole = {
        "labels": dict(seen.metadata.labels),
        "annotations": dict(seen.metadata.annotations),
    }
    for each in changes:
        _, _, kind, *rest = each.path.split("/")
        if not rest:
            whole[kind] = dict(msgspec.convert(each.value, dict[str, str]))
            continue
        key = rest[0].replace("~1", "/").replace("~0", "~")
        if each.op == "test":
            assert whole[kind][key] == each.value
        elif each.op == "remove":
            del whole[kind][key]
        else:
            whole[kind][key] = str(each.value)
    return structs.replace(seen, metadata=structs.replace(seen.metadata, **whole))


def held(present: Mapping[str, str]) -> Node:
    return node(labels=present, fence="8:disrupted")


@given(LABELS)
def test_what_is_put_on_goes_back_to_exactly_what_was(present: Mapping[str, str]) -> None:
    before = held(present)
    between = applied(before, labels.put_on(before, WANTED))
    after = applied(between, labels.put_back(between))

    assert labels.are_put_on(between)
    assert WANTED.items() <= between.metadata.labels.items()
    assert after == before


@given(LABELS, LABELS)
def test_what_somebody_made_of_a_label_meanwhile_stays(
    present: Mapping[str, str], theirs: Mapping[str, str]
) -> None:
    before = held(present)
    between = applied(before, labels.put_on(before, WANTED))
    merged = {**between.metadata.labels, **theirs}
    touched = structs.replace(between, metadata=structs.replace(between.metadata, labels=merged))
    after = applied(touched, labels.put_back(touched))

    theirs_now = {key: value for key, value in theirs.items() if WANTED.get(key) != value}
    assert theirs_now.items() <= after.metadata.labels.items()
    assert not labels.are_put_on(after)


def test_a_node_without_our_labels_has_nothing_to_be_put_back() -> None:
    assert labels.put_back(held({"a": "b"})) == []


def test_a_note_that_somebody_made_unreadable_only_goes() -> None:
    seen = node(fence="8:disrupted", labels=WANTED)
    notes = {**seen.metadata.annotations, keys.GPU_CLIENTS_ANNOTATION: "{garbled"}
    garbled = structs.replace(seen, metadata=structs.replace(seen.metadata, annotations=notes))

    after = applied(garbled, labels.put_back(garbled))

    assert not labels.are_put_on(after)
    assert after.metadata.labels == WANTED
