"""The demo's screen, in terminals of any size."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from nodehealth.repair import NodeRepairStatus, Phase
from nodemend.demo import picture, view
from nodemend.demo.picture import Look, Picture, Spot
from remediator.decide.counting import Usage
from remediator.observe import Fleet
from remediator.rules.policy import Policy
from tests.builders import NOON, node, repair

WAITS = repair(
    "web-01",
    status=NodeRepairStatus(
        phase=Phase.WAITING, reason="NoSlot", message="1 of 1 slots of pool web are taken " * 5
    ),
)
WEB = Usage(scope="web", nodes=70, out=3, out_limit=8, disrupted=1, disrupted_limit=1)


def spot(number: int, look: Look = Look.WELL) -> Spot:
    return Spot(name=f"web-{number:03}", pool="web", look=look)


FULL = Picture(
    now=NOON,
    elapsed=timedelta(seconds=42),
    most=timedelta(minutes=3),
    hint="look around: export KUBECONFIG=/tmp/somewhere/admin.kubeconfig",
    spots=(*(spot(n) for n in range(99)), replace(spot(99, Look.SICK), real=True)),
    repairs=(WAITS,) * 30,
    usages=(WEB,),
    lines=tuple(Text(f"line {n} " * 20) for n in range(100)),
)


def lines(shown: Picture, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as seen:
        console.print(view.drawn(shown, width, height))
    return [line.rstrip() for line in seen.get().splitlines()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40)])
def test_everything_is_on_the_screen(width: int, height: int) -> None:
    seen = lines(FULL, width, height)

    assert len(seen) == height
    assert "0:42 of 3:00  Ctrl-C ends" in seen[0]
    assert any("99 well" in line and "1 sick" in line for line in seen)
    assert "limits   web 1/1 disrupted 3/8 out" in seen
    assert any(line.startswith("web-01") and "Waiting (NoSlot)" in line for line in seen)
    assert seen[-1].startswith("line 99")


@given(st.integers(30, 200), st.integers(12, 80), st.integers(0, 100), st.integers(0, 30))
def test_nothing_is_wider_or_higher_than_the_terminal(
    width: int, height: int, nodes: int, repairs: int
) -> None:
    shown = replace(FULL, spots=FULL.spots[:nodes], repairs=FULL.repairs[:repairs])

    seen = lines(shown, width, height)

    assert len(seen) <= height
    assert all(len(line) <= width for line in seen)


def test_of_too_many_nodes_those_that_are_not_well_are_shown() -> None:
    crowd = (*(spot(n) for n in range(5000)), spot(5000, Look.DRAINS))

    seen = lines(replace(FULL, spots=crowd), 80, 24)

    assert "web      d" in seen
    assert any("5000 well" in line for line in seen)


def test_before_anything_is_wrong_it_says_that_nothing_is() -> None:
    seen = lines(replace(FULL, repairs=()), 80, 24)

    assert "No repair is open yet." in seen


@pytest.mark.parametrize(
    ("phase", "look"),
    [
        (Phase.WAITING, Look.WAITS),
        (Phase.FENCING, Look.MENDS),
        (Phase.VERIFYING, Look.PROVES),
        (Phase.NEEDS_HUMAN, Look.PERSON),
        (Phase.RECOVERED, Look.MENDED),
    ],
)
def test_a_node_looks_as_its_newest_repair_stands(phase: Phase, look: Look) -> None:
    fleet = Fleet(Policy())
    fleet.see_node("n1", node())

    (seen,) = picture.spots(fleet, Policy(), [repair(phase=phase)], frozenset(), "n1")

    assert (seen.look, seen.real) == (look, True)


def test_a_node_without_a_repair_is_sick_or_out_or_well() -> None:
    fleet = Fleet(Policy())
    for name in ("sick", "well"):
        fleet.see_node(name, node(name))
    fleet.see_node("out", node("out", ready=False))

    seen = picture.spots(fleet, Policy(), [], frozenset({"sick"}), "")

    assert {each.name: each.look for each in seen} == {
        "out": Look.OUT,
        "sick": Look.SICK,
        "well": Look.WELL,
    }


def test_a_node_that_is_away_is_shown_while_its_repair_goes_on() -> None:
    seen = picture.spots(Fleet(Policy()), Policy(), [WAITS], frozenset(), "")

    assert [(each.name, each.look) for each in seen] == [("web-01", Look.WAITS)]
