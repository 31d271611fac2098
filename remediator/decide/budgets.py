"""What the disruption budgets of a pod say, and which of them its owner has to mend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nodehealth.kube.objects import (
    BudgetSpec,
    LabelSelector,
    Pod,
    PodDisruptionBudget,
    Requirement,
)

_ABSENT: Final = frozenset({"NotIn", "DoesNotExist"})
_ALWAYS: Final = "AlwaysAllow"
_MOST_DISRUPTED: Final = 2000
"""Of more pods that were evicted and not seen to go the API server refuses to hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why budgets keep a pod from leaving."""

    budgets: tuple[str, ...]
    """Their names, within the pod's namespace."""
    text: str
    """What is wrong, as a clause."""
    advice: str = ""
    """What to change, as a clause; nothing where it is enough to wait."""
    certain: bool = False
    """Whether it cannot pass by itself, as what is counted may."""

    def said(self) -> str:
        """Say it all."""
        return f"{self.text}: {self.advice}" if self.advice else self.text


def selecting(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> tuple[PodDisruptionBudget, ...]:
    """Return the budgets of the pod's namespace that select it, by name."""
    labels = pod.metadata.labels
    found = (
        each
        for each in budgets
        if each.metadata.namespace == pod.metadata.namespace
        and each.spec.selector is not None
        and _selects(each.spec.selector, labels)
    )
    return tuple(sorted(found, key=lambda each: each.metadata.name))


def diagnose(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> Diagnosis | None:
    """Say why a pod that may not leave may not; nothing where no budget is the reason."""
    found = selecting(pod, budgets)
    if not found:
        return None
    names = tuple(each.metadata.name for each in found)
    if len(found) > 1:
        text = f"more than one disruption budget selects it ({' and '.join(names)})"
        advice = "its owner must leave one"
        return Diagnosis(budgets=names, text=text, advice=advice, certain=True)
    text, advice = _alone(pod, found[0])
    certain = _is_closed(found[0].spec)
    return Diagnosis(budgets=names, text=text, advice=advice, certain=certain)


def _alone(pod: Pod, budget: PodDisruptionBudget) -> tuple[str, str]:
    """Say what a single budget holds against a pod, and what to change."""
    name, status = budget.metadata.name, budget.status
    failed = _failed(budget)
    if failed:
        text = f"the disruption budget {name} cannot count its pods ({failed})"
        return text, "it may select only pods whose controllers tell how many there shall be"
    if status.observed_generation < budget.metadata.generation:
        return f"the disruption budget {name} changed and is being counted anew", ""
    if status.disruptions_allowed < 0 or len(status.disrupted_pods) > _MOST_DISRUPTED:
        text = f"the disruption budget {name} has a status that the API server refuses"
        return text, "see that kube-controller-manager counts it, or make it anew"
    if never_allows(budget):
        healthy = f"{status.current_healthy} of {status.expected_pods} pods are healthy"
        text = f"the disruption budget {name} ({_terms(budget)}) never lets anybody leave"
        return f"{text} ({healthy})", "raise maxUnavailable, or lower minAvailable"
    short = f"needs {status.desired_healthy} healthy pods and has {status.current_healthy}"
    text = f"the disruption budget {name} ({_terms(budget)}) {short}"
    if status.current_healthy < status.desired_healthy and _is_stuck(pod, budget):
        advice = f"set unhealthyPodEvictionPolicy: {_ALWAYS}, or mend the pods"
        return f"{text}, and this pod is not Ready itself", advice
    return text, ""


def never_allows(budget: PodDisruptionBudget) -> bool:
    """Say whether a budget allows nothing although nothing is amiss: it never will."""
    status = budget.status
    return _is_closed(budget.spec) or (
        status.observed_generation == budget.metadata.generation
        and status.disruptions_allowed == 0
        and status.current_healthy >= status.expected_pods > 0
        and not status.disrupted_pods
    )


def is_ready(pod: Pod) -> bool:
    """Say whether a pod counts as healthy."""
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)


def _is_closed(spec: BudgetSpec) -> bool:
    return spec.max_unavailable in {0, "0%"} or spec.min_available == "100%"


def _is_stuck(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """Say whether an unhealthy pod is kept from leaving although its going would harm nobody."""
    return not is_ready(pod) and budget.spec.unhealthy_pod_eviction_policy != _ALWAYS


def _failed(budget: PodDisruptionBudget) -> str:
    found = (each for each in budget.status.conditions if each.type == "DisruptionAllowed")
    return next((each.message for each in found if each.reason == "SyncFailed"), "")


def _terms(budget: PodDisruptionBudget) -> str:
    spec = budget.spec
    if spec.max_unavailable is not None:
        return f"maxUnavailable: {spec.max_unavailable}"
    return f"minAvailable: {spec.min_available}"


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
