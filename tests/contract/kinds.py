"""The kinds that the contract is tried on beside those that nodemend reads itself."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from nodehealth.kube.objects import Condition, Object, Resource, Struct

Json: TypeAlias = dict[str, Any]


class ConfigMap(Object, frozen=True, kw_only=True):
    """The plainest object there is: no controller writes to it."""

    data: Mapping[str, str] = {}


class BudgetStatus(Struct, frozen=True, kw_only=True):
    """What a budget allows now."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    disrupted_pods: Mapping[str, str] = {}


class Budget(Object, frozen=True, kw_only=True):
    """A PodDisruptionBudget."""

    status: BudgetStatus = BudgetStatus()


class DefinitionStatus(Struct, frozen=True, kw_only=True):
    """Whether a custom kind is served."""

    conditions: tuple[Condition, ...] = ()


class Definition(Object, frozen=True, kw_only=True):
    """A CustomResourceDefinition."""

    status: DefinitionStatus = DefinitionStatus()


CONFIG_MAPS: Final = Resource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, type=ConfigMap
)
NAMESPACES: Final = Resource(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False, type=Object
)
SERVICE_ACCOUNTS: Final = Resource(
    group="",
    version="v1",
    plural="serviceaccounts",
    kind="ServiceAccount",
    namespaced=True,
    type=Object,
)
BUDGETS: Final = Resource(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    kind="PodDisruptionBudget",
    namespaced=True,
    type=Budget,
)
DEFINITIONS: Final = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
    type=Definition,
)
