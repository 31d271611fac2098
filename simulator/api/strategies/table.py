"""Which kind is written by which rules."""

from simulator.api import policies
from simulator.api.schemas import definitions
from simulator.api.strategies.nodes import NodeStrategy
from simulator.api.strategies.plain import (
    BudgetStrategy,
    EventStrategy,
    LeaseStrategy,
    NamespaceStrategy,
)
from simulator.api.strategies.pods import PodStrategy
from simulator.api.strategy import Strategy


def strategies() -> dict[str, Strategy]:
    """Return the strategies of built-in kinds that have one, by resource."""
    return {
        definitions.RESOURCE: definitions.DefinitionStrategy(),
        "events": EventStrategy(),
        "leases.coordination.k8s.io": LeaseStrategy(),
        "namespaces": NamespaceStrategy(),
        "nodes": NodeStrategy(),
        "poddisruptionbudgets.policy": BudgetStrategy(),
        "pods": PodStrategy(),
        policies.BINDINGS: policies.PolicyStrategy(),
        policies.RESOURCE: policies.PolicyStrategy(),
    }
