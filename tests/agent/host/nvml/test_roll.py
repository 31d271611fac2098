"""What each GPU said is kept, and the well are asked before the sick."""

from datetime import timedelta
from typing import Any

from agent.host.nvml.calls import FIELDS, LINKED, LINKS, ONCE, SLOW, VITALS
from agent.host.nvml.facts import Hang, Standing
from agent.host.nvml.roll import HANDLE, REST, Roll, merged
from agent.host.nvml.settings import Nvml

A, B, C = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
SETTINGS = Nvml(interval=timedelta(seconds=10))
HANG = Hang(call="nvmlDeviceGetPowerUsage", since=0.0, state="D")


def roll() -> Roll:
    """Return three GPUs that nobody has asked yet."""
    made = Roll(SETTINGS)
    made.know([A, B, C])
    return made


def sweep(
    of: Roll, now: float, *, life: int = 1, **said: object
) -> list[tuple[str, tuple[str, ...]]]:
    """Ask all whose turn it is; return them, with what they were asked."""
    asked = []
    while (turn := of.next(now, life, ())) is not None:
        asked.append((turn.pci, turn.tiers))
        of.asked(turn, now)
        answers = {"nvmlDeviceGetUUID": f"GPU-{turn.pci}", **said} if ONCE in turn.tiers else said
        of.answered(turn, {"said": answers}, now, life)
    return asked


def standings(of: Roll, now: float = 0.0, **more: Any) -> list[Standing]:  # noqa: ANN401 - as cards() has it
    """Return how all stand."""
    given = {"hung": {}, "is_up": True, "since": now, **more}
    return [each.standing for each in of.cards(**given)]


def test_the_first_time_everything_is_asked_and_later_what_is_due() -> None:
    gpus = roll()

    assert sweep(gpus, 0.0)[0] == (A, (ONCE, VITALS, LINKED, SLOW))
    assert sweep(gpus, 9.0) == []
    assert sweep(gpus, 10.0)[0] == (A, (VITALS,))
    assert sweep(gpus, 60.0)[0] == (A, (VITALS, LINKED))
    assert sweep(gpus, 600.0)[0] == (A, (VITALS, LINKED, SLOW))


def test_another_driver_is_asked_everything_anew() -> None:
    gpus = roll()
    sweep(gpus, 0.0, nvmlDeviceGetSerial="1")

    assert sweep(gpus, 1.0, life=2)[0] == (A, (ONCE, VITALS, LINKED, SLOW))
    assert all(
        "nvmlDeviceGetSerial" not in each.answers
        for each in gpus.cards(hung={}, is_up=True, since=0)
    )
    assert all(each.serial == "1" for each in gpus.cards(hung={}, is_up=True, since=0))


def test_one_that_was_slow_comes_last() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    gpus.slow(A, is_slow=True)

    assert [pci for pci, _ in sweep(gpus, 10.0)] == [B, C, A]


def test_one_that_rests_is_not_asked_until_it_has_rested() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    gpus.rest(B, 1.0)

    assert [pci for pci, _ in sweep(gpus, REST.total_seconds())] == [A, C]
    assert standings(gpus) == [Standing.ANSWERS, Standing.RESTING, Standing.ANSWERS]
    assert [pci for pci, _ in sweep(gpus, 1.0 + REST.total_seconds())] == [B]
    assert standings(gpus) == [Standing.ANSWERS] * 3


def test_a_rest_that_begins_while_it_is_asked_outlasts_the_answer() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    turn = gpus.next(10.0, 1, ())
    assert turn is not None
    gpus.asked(turn, 10.0)
    gpus.rest(turn.pci, 30.0)

    gpus.answered(turn, {"said": {"nvmlDeviceGetPowerUsage": {"error": 10}}}, 40.0, 1)

    assert standings(gpus)[0] is Standing.RESTING
    assert A not in [pci for pci, _ in sweep(gpus, 50.0)]


def test_one_to_which_something_happened_is_asked_at_once_and_again_in_a_moment() -> None:
    gpus = roll()
    sweep(gpus, 0.0)

    gpus.hurry(B, 5.0)

    assert gpus.next_at(()) == 5.0
    assert sweep(gpus, 5.0) == [(B, (VITALS,))]
    assert gpus.next_at(()) == 7.0
    assert sweep(gpus, 6.9) == []
    assert sweep(gpus, 7.0) == [(B, (VITALS,))]
    assert gpus.next_at(()) == 10.0


def test_however_much_happens_to_one_it_is_asked_once_a_second() -> None:
    gpus = roll()
    sweep(gpus, 0.0)

    asked = []
    for at in range(1000, 3000, 10):
        gpus.hurry(B, at / 1000)
        asked += sweep(gpus, at / 1000)

    assert asked == [(B, (VITALS,))] * 2


def test_one_that_rests_is_not_hurried() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    gpus.hurry(B, 5.0)
    gpus.rest(B, 5.0)
    gpus.hurry(B, 5.0)

    assert sweep(gpus, 8.0) == []
    assert gpus.next_at(()) == 10.0


def test_one_that_hangs_again_soon_rests_when_its_call_returned() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    gpus.hung(B, 30.0)
    assert B in [pci for pci, _ in sweep(gpus, 60.0)]

    gpus.hung(B, 90.0)

    assert B not in [pci for pci, _ in sweep(gpus, 120.0)]
    assert B in [pci for pci, _ in sweep(gpus, 90.0 + REST.total_seconds())]


def test_hanging_outweighs_loss_which_outweighs_rest() -> None:
    gpus = roll()
    sweep(gpus, 0.0, nvmlDeviceGetPowerUsage={"error": 15})
    gpus.rest(A, 0.0)

    assert standings(gpus, hung={B: HANG}) == [Standing.LOST, Standing.HUNG, Standing.LOST]


def test_what_was_said_long_ago_is_not_fresh() -> None:
    gpus = roll()
    sweep(gpus, 0.0)

    assert standings(gpus, since=1.0) == [Standing.UNASKED] * 3
    assert standings(gpus, is_up=False) == [Standing.UNASKED] * 3


def test_one_that_nvml_does_not_find_any_more_is_lost_and_one_it_never_found_is_not() -> None:
    gpus = roll()
    sweep(gpus, 0.0)
    gpus.know(["0000:04:00.0"])
    for now in (10.0, 20.0):
        while (turn := gpus.next(now, 1, ())) is not None:
            gpus.asked(turn, now)
            gpus.answered(turn, {"code": 6}, now, 1)

    assert standings(gpus) == [Standing.LOST] * 3 + [Standing.UNASKED]
    assert all(
        each.answers[HANDLE] == {"error": 6} for each in gpus.cards(hung={}, is_up=True, since=0)
    )


def test_as_many_links_are_asked_for_as_there_are() -> None:
    gpus = roll()
    first = gpus.next(0.0, 1, ())
    assert first is not None
    assert first.links == LINKS
    said: dict[str, Any] = {FIELDS: {"91": 12}}
    sweep(gpus, 0.0, **said)

    turn = gpus.next(60.0, 1, ())

    assert turn is not None
    assert turn.links == 12


def test_fields_are_put_together_and_those_there_are_not_are_left_out() -> None:
    before = {FIELDS: {"230": 0, "4": 1, "161/0": 7}, "a": 1}

    after = merged(before, {FIELDS: {"230": 1, "4": {"error": 3}, "82": {"error": 999}}, "b": 2})

    assert after == {FIELDS: {"230": 1, "161/0": 7, "82": {"error": 999}}, "a": 1, "b": 2}


def test_fields_that_failed_altogether_say_so() -> None:
    assert merged({FIELDS: {"230": 0}}, {FIELDS: {"error": 999}}) == {FIELDS: {"error": 999}}
    assert merged({FIELDS: {"error": 999}}, {FIELDS: {"230": 0}}) == {FIELDS: {"230": 0}}
