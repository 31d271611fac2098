"""Tables: what kubectl prints."""

from collections.abc import Callable

import pytest

from simulator.api import columns
from simulator.api.direct import Direct
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import Watchmaker


def shown(table: JsonObject) -> list[dict[str, object]]:
    """Return the rows of a table, by the names of the columns that are not only for wide."""
    defined = table["columnDefinitions"]
    return [
        {one["name"]: cell for one, cell in zip(defined, row["cells"], strict=True)}
        for row in table["rows"]
    ]


def test_nodes(direct: Direct, clock: Watchmaker) -> None:
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/gpu": ""}
    ready = {"type": "Ready", "status": "True"}
    node: JsonObject = {
        "metadata": {"name": "n1", "labels": labels},
        "spec": {"unschedulable": True},
        "status": {"conditions": [ready], "nodeInfo": {"kubeletVersion": "v1.32.0"}},
    }
    direct.create("nodes", node)
    clock.wait(300)

    (row,) = shown(direct.table("nodes"))

    assert row["Status"] == "Ready,SchedulingDisabled"
    assert row["Roles"] == "gpu,worker"
    assert (row["Age"], row["Version"]) == ("5m", "v1.32.0")
    assert (row["Internal-IP"], row["OS-Image"]) == ("<none>", "<unknown>")


def test_a_pod_that_leaves_is_terminating(direct: Direct, pod: Callable[..., JsonObject]) -> None:
    pod("p")
    before = shown(direct.table("pods"))[0]
    direct.delete("pods", "p", namespace="default")

    after = shown(direct.table("pods"))[0]

    assert (before["Status"], after["Status"]) == ("Running", "Terminating")
    assert (after["Ready"], after["Restarts"], after["Node"]) == ("0/1", "0", "n1")


def test_a_row_carries_the_metadata_of_its_object(direct: Direct) -> None:
    direct.create(
        "configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}}, namespace="default"
    )

    (row,) = direct.table("configmaps")["rows"]

    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "c"
    assert row["cells"] == ["c", 1, "0s"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11000, "3h3m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (180000, "2d2h"),
        (691200, "8d"),
        (63072000, "2y"),
        (70000000, "2y80d"),
        (-5, "<invalid>"),
    ],
)
def test_ages_are_said_as_the_real_server_says_them(seconds: int, said: str) -> None:
    assert columns.spoken(seconds) == said
