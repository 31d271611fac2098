"""A pod's budgets are those of its namespace whose selectors fit its labels."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import (
    BudgetSpec,
    LabelSelector,
    Metadata,
    PodDisruptionBudget,
    Requirement,
)
from remediator.decide import budgets
from tests.builders import pod


def budget(
    name: str, selector: LabelSelector | None, *, namespace: str = "jobs"
) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=Metadata(name=name, namespace=namespace), spec=BudgetSpec(selector=selector)
    )


def found(selector: LabelSelector | None, *, namespace: str = "jobs", **labels: str) -> bool:
    plain = pod()
    labelled = structs.replace(plain, metadata=structs.replace(plain.metadata, labels=labels))
    return budgets.of(labelled, [budget("b", selector, namespace=namespace)]) == ("b",)


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

    assert budgets.of(pod(), both) == ("a", "b")
