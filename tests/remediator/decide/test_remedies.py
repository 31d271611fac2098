"""What remedies mean to each other, and that the table of them knows those that there are."""

import importlib
import pkgutil

import pytest

from nodehealth.repair import Rung
from remediator import actions
from remediator.actions import Action
from remediator.decide import remedies


def rung(action: str, **settings: str | int) -> Rung:
    return Rung(action=action, settings=settings)


def test_the_same_remedy_may_take_another_time() -> None:
    assert remedies.same(rung("reboot", patience="20m"), rung("reboot", patience="5m"))
    assert remedies.same(rung("drain"), rung("drain", deadline="30m"))


def test_a_remedy_for_something_else_is_another_one() -> None:
    one = rung("restart-service", service="kubelet")

    assert not remedies.same(one, rung("restart-service", service="containerd"))
    assert not remedies.same(rung("reboot"), rung("replace"))


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("drain", "restart-service"),
        ("reset-gpu", "reboot"),
        ("reboot", "power-cycle"),
        ("power-cycle", "run-job"),
        ("run-job", "replace"),
    ],
)
def test_what_takes_more_reaches_further(weaker: str, stronger: str) -> None:
    assert remedies.reach(rung(weaker)) < remedies.reach(rung(stronger))


@pytest.mark.parametrize(
    ("remedy", "done", "needless"),
    [
        ("reset-gpu", ["reboot"], True),
        ("restart-service", ["reset-gpu"], False),
        ("reboot", ["reset-gpu"], False),
        ("reboot", ["replace"], True),
        ("webhook", ["reboot"], False),
        ("webhook", ["drain", "replace"], True),
        ("replace", ["reboot"], False),
        ("reboot", [], False),
    ],
)
def test_what_was_done_to_the_whole_machine_makes_lesser_remedies_needless(
    remedy: str,
    done: list[str],
    needless: bool,  # noqa: FBT001 - pytest
) -> None:
    assert remedies.is_needless(rung(remedy), [rung(each) for each in done]) is needless


def test_a_node_that_was_drained_is_not_drained_again_with_other_settings() -> None:
    whole = [rung("drain"), rung("reboot"), rung("drain", onDeadline="evict"), rung("replace")]

    assert remedies.left(whole, (2, 3), {0, 1}, [whole[0], whole[1]]) == (3,)
    assert remedies.left(whole, (2, 3), (), []) == (2, 3)


def test_the_table_agrees_with_the_remedies_that_there_are() -> None:
    for module in pkgutil.iter_modules(actions.__path__):
        importlib.import_module(f"{actions.__name__}.{module.name}")
    kinds = {each.__module__.rpartition(".")[2]: each for each in Action.__subclasses__()}
    idle = {name.replace("_", "-") for name, kind in kinds.items() if not kind.mends}

    assert idle == remedies.PREPARES
