"""Which disruption budgets select a pod: needed only to name those that contradict each other."""

from collections.abc import Iterable, Mapping
from typing import Final

from nodehealth.kube.objects import LabelSelector, Pod, PodDisruptionBudget, Requirement

_ABSENT: Final = frozenset({"NotIn", "DoesNotExist"})


def of(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> tuple[str, ...]:
    """Name the budgets of the pod's namespace that select it."""
    labels = pod.metadata.labels
    found = [
        each.metadata.name
        for each in budgets
        if each.metadata.namespace == pod.metadata.namespace
        and each.spec.selector is not None
        and _selects(each.spec.selector, labels)
    ]
    return tuple(sorted(found))


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Tell whether labels match; an empty selector of policy/v1 selects every pod."""
    plain = selector.match_labels.items() <= labels.items()
    return plain and all(_meets(each, labels) for each in selector.match_expressions)


def _meets(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    if value is None:
        return requirement.operator in _ABSENT
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return requirement.operator == "Exists"
