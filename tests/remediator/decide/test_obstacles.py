"""What a person has to change is named once, with its owner and what to do."""

from nodehealth import keys
from nodehealth.repair import OBSTACLES_LENGTH
from remediator.decide import eviction, obstacles
from remediator.decide.budgets import Diagnosis
from remediator.decide.eviction import Patience
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, pod

HOOK = 'admission webhook "guard.example.com" denied the request: not on Fridays'


def test_a_budget_that_only_has_to_recover_is_no_obstacle() -> None:
    found = Diagnosis(budgets=("web",), text="the disruption budget web is spent")

    assert obstacles.of_budgets(pod(), found, NOON) is None


def test_budgets_to_be_mended_are_named_with_the_workload() -> None:
    found = Diagnosis(budgets=("a", "b"), text="two select it", advice="leave one")

    named = obstacles.of_budgets(pod(), found, NOON)

    assert named is not None
    assert obstacles.said(named) == (
        "PodDisruptionBudget/jobs/a+b of ReplicaSet/owner: "
        "jobs/p1 may not leave because two select it: leave one"
    )


def test_a_webhook_that_refuses_is_named() -> None:
    named = obstacles.of_refusal(pod(), HOOK, NOON)

    assert named is not None
    assert named.what == "Webhook/guard.example.com"
    assert obstacles.is_webhook(named)
    assert obstacles.of_refusal(pod(), "the server is away", NOON) is None


def test_a_pod_that_is_held_is_named_with_the_way_out() -> None:
    manners = DrainManners()
    (held,) = eviction.sort([pod(owner="")], manners, Patience(), NOON).held

    named = obstacles.said(obstacles.of_held(held, NOON))

    assert named == (
        "Pod/jobs/p1: jobs/p1 may not leave because no controller would bring it back: "
        f"see to it and delete it, or annotate it with {keys.DRAIN}=evict"
    )


def test_each_obstacle_is_kept_once_since_it_was_first_seen_and_not_too_many() -> None:
    first, again = (obstacles.of_refusal(pod(), HOOK, each) for each in (NOON, at(60)))
    others = [
        obstacles.of_refusal(pod(), f'webhook "{number}"', NOON)
        for number in range(OBSTACLES_LENGTH)
    ]
    assert first is not None
    assert again is not None

    kept = obstacles.with_those((first,), [again, *(each for each in others if each is not None)])

    assert kept[0] == first
    assert len(kept) == OBSTACLES_LENGTH
