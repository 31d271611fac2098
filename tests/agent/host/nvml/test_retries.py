"""Workers that fail are started ever more seldom, but not more seldom than that."""

from agent.host.nvml.retries import LONGEST, TRIAL, Retries


def pauses(retries: Retries, fail: str, times: int) -> list[float]:
    """Fail so often, and return the pauses in between."""
    now, found = 0.0, []
    for _ in range(times):
        retries.began(now)
        getattr(retries, fail)(now)
        found.append(retries.due_at() - now)
        now = retries.due_at()
    return found


def test_one_that_ends_by_itself_is_started_again_soon_and_then_seldom() -> None:
    found = pauses(Retries(), "failed", 12)

    assert found[:4] == [1, 2, 4, 8]
    assert found[-1] == LONGEST


def test_a_driver_that_refuses_is_asked_again_within_a_minute() -> None:
    assert max(pauses(Retries(), "refused", 12)) == 60


def test_one_that_was_stuck_is_started_again_after_a_minute_and_more() -> None:
    assert pauses(Retries(), "stuck", 5) == [60, 120, 240, 480, 600]


def test_one_that_may_not_open_devices_is_tried_ever_more_seldom() -> None:
    assert pauses(Retries(), "barred", 5) == [60, 120, 240, 480, 600]


def test_one_that_did_well_for_long_starts_from_the_beginning() -> None:
    retries = Retries()
    pauses(retries, "failed", 6)
    retries.began(1000.0)

    retries.failed(5000.0)

    assert retries.due_at() == 5001.0


def test_a_lost_one_is_replaced_at_once_but_the_driver_is_tried_later() -> None:
    retries = Retries()
    retries.lost(100.0)

    assert retries.is_due(100.0)
    assert not retries.is_trial_due(100.0 + TRIAL - 1)
    assert retries.is_trial_due(100.0 + TRIAL)
