"""A pod's budgets are those of its namespace whose selectors fit its labels."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import (
    BudgetSpec,
    BudgetStatus,
    Condition,
    LabelSelector,
    Metadata,
    PodDisruptionBudget,
    Requirement,
)
from remediator.decide import budgets
from tests.builders import NOON, pod


def budget(
    name: str, selector: LabelSelector | None, *, namespace: str = "jobs"
) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=Metadata(name=name, namespace=namespace), spec=BudgetSpec(selector=selector)
    )


def found(selector: LabelSelector | None, *, namespace: str = "jobs", **labels: str) -> bool:
    plain = pod()
    labelled = structs.replace(plain, metadata=structs.replace(plain.metadata, labels=labels))
    return bool(budgets.selecting(labelled, [budget("b", selector, namespace=namespace)]))


def test_labels_must_all_be_there() -> None:
    selector = LabelSelector(match_labels={"app": "web", "tier": "front"})

    assert found(selector, app="web", tier="front", more="x")
    assert not found(selector, app="web")


def test_an_empty_selector_fits_all_and_an_absent_one_none() -> None:
    assert found(LabelSelector())
    assert not found(None)


def test_budgets_of_other_namespaces_are_none_of_the_pods() -> None:
    assert not found(LabelSelector(), namespace="other")


@pytest.mark.parametrize(
    ("operator", "values", "web", "absent"),
    [
        ("In", ("web", "db"), True, False),
        ("In", ("db",), False, False),
        ("NotIn", ("web",), False, True),
        ("NotIn", ("db",), True, True),
        ("Exists", (), True, False),
        ("DoesNotExist", (), False, True),
    ],
)
def test_expressions_are_read_as_kubernetes_does(
    operator: str,
    values: tuple[str, ...],
    web: bool,  # noqa: FBT001 - pytest
    absent: bool,  # noqa: FBT001 - pytest
) -> None:
    selector = LabelSelector(
        match_expressions=(Requirement(key="app", operator=operator, values=values),)
    )

    assert found(selector, app="web") is web
    assert found(selector) is absent


def test_all_that_select_a_pod_are_named_in_order() -> None:
    both = [budget("b", LabelSelector()), budget("a", LabelSelector())]

    found = budgets.diagnose(pod(), both)

    assert found is not None
    assert found.budgets == ("a", "b")
    assert found.said() == (
        "more than one disruption budget selects it (a and b): its owner must leave one"
    )


def test_where_no_budget_selects_the_pod_none_is_the_reason() -> None:
    assert budgets.diagnose(pod(), [budget("b", None)]) is None


def counted(
    *,
    most: int | str | None = 1,
    least: int | str | None = None,
    allowed: int = 0,
    healthy: int = 3,
    desired: int = 2,
    expected: int = 3,
    observed: int = 1,
    disrupted: int = 0,
    policy: str = "",
    failed: str = "",
) -> PodDisruptionBudget:
    conditions = (
        Condition(type="DisruptionAllowed", status="False", reason="SyncFailed", message=failed),
    )
    return PodDisruptionBudget(
        metadata=Metadata(name="b", namespace="jobs", generation=1),
        spec=BudgetSpec(
            selector=LabelSelector(),
            max_unavailable=most,
            min_available=least,
            unhealthy_pod_eviction_policy=policy,
        ),
        status=BudgetStatus(
            observed_generation=observed,
            disruptions_allowed=allowed,
            current_healthy=healthy,
            desired_healthy=desired,
            expected_pods=expected,
            disrupted_pods={str(number): NOON for number in range(disrupted)},
            conditions=conditions if failed else (),
        ),
    )


def diagnosed(found: PodDisruptionBudget, *, ready: bool = True) -> str:
    diagnosis = budgets.diagnose(pod(ready=ready), [found])
    return diagnosis.said() if diagnosis is not None else ""


RAISE = "raise maxUnavailable, or lower minAvailable"
ALLOW = "set unhealthyPodEvictionPolicy: AlwaysAllow, or mend the pods"


@pytest.mark.parametrize(
    ("found", "ready", "said"),
    [
        (
            counted(most=0),
            True,
            f"(maxUnavailable: 0) never lets anybody leave (3 of 3 pods are healthy): {RAISE}",
        ),
        (
            counted(most="0%", healthy=1),
            True,
            f"(maxUnavailable: 0%) never lets anybody leave (1 of 3 pods are healthy): {RAISE}",
        ),
        (
            counted(most=None, least="100%"),
            True,
            f"(minAvailable: 100%) never lets anybody leave (3 of 3 pods are healthy): {RAISE}",
        ),
        (
            counted(most=None, least=3, desired=3),
            True,
            f"(minAvailable: 3) never lets anybody leave (3 of 3 pods are healthy): {RAISE}",
        ),
        (counted(disrupted=1), True, "(maxUnavailable: 1) needs 2 healthy pods and has 3"),
        (counted(healthy=2), True, "(maxUnavailable: 1) needs 2 healthy pods and has 2"),
        (counted(healthy=1), True, "(maxUnavailable: 1) needs 2 healthy pods and has 1"),
        (
            counted(healthy=1),
            False,
            (
                "(maxUnavailable: 1) needs 2 healthy pods and has 1, "
                f"and this pod is not Ready itself: {ALLOW}"
            ),
        ),
        (
            counted(healthy=1, policy="AlwaysAllow"),
            False,
            "(maxUnavailable: 1) needs 2 healthy pods and has 1",
        ),
        (counted(observed=0), True, "changed and is being counted anew"),
        (
            counted(failed="found no controllers"),
            True,
            (
                "cannot count its pods (found no controllers): "
                "it may select only pods whose controllers tell how many there shall be"
            ),
        ),
        (
            counted(allowed=-1),
            True,
            (
                "has a status that the API server refuses: "
                "see that kube-controller-manager counts it, or make it anew"
            ),
        ),
        (
            counted(disrupted=2001),
            True,
            (
                "has a status that the API server refuses: "
                "see that kube-controller-manager counts it, or make it anew"
            ),
        ),
    ],
)
def test_why_a_budget_lets_nobody_leave(
    found: PodDisruptionBudget,
    ready: bool,  # noqa: FBT001 - pytest
    said: str,
) -> None:
    assert diagnosed(found, ready=ready) == f"the disruption budget b {said}"
