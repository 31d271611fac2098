"""What a cluster must have before anything may be done to its nodes, and what of it is missing.

Without our definitions objects are lost or lose fields; without the admission policies a sick node
could condemn a well one. So whatever is missing, or of another version, keeps us at observing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import msgspec

from nodehealth import crds, keys, protections
from nodehealth.crds import DEFINITIONS, Definition
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Condition, Object, Resource, Struct, T
from nodehealth.protections import PROTECTIONS, Protection
from nodehealth.repair import Mode

logger = logging.getLogger(__name__)

OLDEST: Final = (1, 30)
"""Since then a token says on which node its pod runs, and admission policies are stable."""
_MEND: Final = "`kubectl apply -k deploy/remediator` of this version brings it"


class DefinitionStatus(Struct, frozen=True, kw_only=True):
    """How far the API server has taken a definition up."""

    conditions: tuple[Condition, ...] = ()


class CustomResourceDefinition(Object, frozen=True, kw_only=True):
    """One of our kinds."""

    status: DefinitionStatus = DefinitionStatus()


class ResourceRule(Struct, frozen=True, kw_only=True):
    """Which requests a policy looks at."""

    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


class MatchConstraints(Struct, frozen=True, kw_only=True):
    """Which requests a policy looks at, and which of them it overlooks."""

    resource_rules: tuple[ResourceRule, ...] = ()
    exclude_resource_rules: tuple[ResourceRule, ...] = ()
    namespace_selector: Mapping[str, object] = {}
    object_selector: Mapping[str, object] = {}


class Expression(Struct, frozen=True, kw_only=True):
    """One condition in CEL."""

    expression: str = ""


class PolicySpec(Struct, frozen=True, kw_only=True):
    """What decides whether a policy protects what it should."""

    failure_policy: str = ""
    param_kind: Mapping[str, object] | None = None
    match_constraints: MatchConstraints = MatchConstraints()
    match_conditions: tuple[Expression, ...] = ()
    validations: tuple[Expression, ...] = ()


class AdmissionPolicy(Object, frozen=True, kw_only=True):
    """What must be true of a write."""

    spec: PolicySpec = PolicySpec()


class BindingSpec(Struct, frozen=True, kw_only=True):
    """Which policy holds, and what becomes of those who break it."""

    policy_name: str = ""
    param_ref: Mapping[str, object] | None = None
    validation_actions: tuple[str, ...] = ()
    match_resources: Mapping[str, object] | None = None


class AdmissionBinding(Object, frozen=True, kw_only=True):
    """What puts a policy into force."""

    spec: BindingSpec = BindingSpec()


CUSTOM_KINDS: Final = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
    type=CustomResourceDefinition,
)
POLICIES: Final = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicies",
    kind="ValidatingAdmissionPolicy",
    namespaced=False,
    type=AdmissionPolicy,
)
BINDINGS: Final = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicybindings",
    kind="ValidatingAdmissionPolicyBinding",
    namespaced=False,
    type=AdmissionBinding,
)


class Prerequisites:
    """Looks for all of it, and says how far we may go.

    Args:
        client: The door to the API server.
        restrict: Is told how far we may go, whenever somebody has looked.
    """

    def __init__(self, client: Client, restrict: Callable[[Mode], None]) -> None:
        self._client = client
        self._restrict = restrict
        self.missing: tuple[str, ...] = ("nobody has yet seen what the cluster has",)
        """What keeps us at observing, as sentences for people."""
        self.known = asyncio.Event()
        """Set once somebody has looked: a repair that is opened earlier would only observe."""

    async def look(self) -> None:
        """Look once; while the API server is away, what was seen last stands."""
        try:
            found = await self.lacking()
        except errors.UnavailableError as away:
            logger.warning("cannot see whether the cluster has what nodemend needs: %s", away)
            return
        if found != self.missing:
            self._tell(found)
        self.missing = found
        self._restrict(Mode.OBSERVE if found else Mode.ENFORCE)
        self.known.set()

    async def lacking(self) -> tuple[str, ...]:
        """Say what the cluster lacks now, as sentences for people.

        Raises:
            nodehealth.kube.errors.UnavailableError: the API server is away.
        """
        return tuple([each async for each in self._faults()])

    def _tell(self, found: tuple[str, ...]) -> None:
        for each in found:
            logger.error("nothing is done to any node: %s", each)
        if not found:
            logger.info("the cluster has all definitions and admission policies")

    async def _faults(self) -> AsyncIterator[str]:
        version = await self._client.version()
        if version < OLDEST:
            yield f"Kubernetes: expected {_dotted(OLDEST)} or newer, got {_dotted(version)}"
            return
        for definition in DEFINITIONS:
            async for said in self._definition(definition):
                yield said
        for protection in PROTECTIONS:
            async for said in self._protection(protection):
                yield said

    async def _definition(self, definition: Definition) -> AsyncIterator[str]:
        name = f"{definition.resource.plural}.{definition.resource.group}"
        found, wrong = await self._get(CUSTOM_KINDS, name)
        if found is None:
            yield wrong
            return
        digest = found.metadata.annotations.get(keys.SCHEMA_ANNOTATION, "")
        if digest != crds.digest(definition):
            what = f"expected schema {crds.digest(definition)}, got {digest or 'none'}"
            yield f"{CUSTOM_KINDS.kind} {name}: {what}; {_MEND}"
        if not any((c.type, c.status) == ("Established", "True") for c in found.status.conditions):
            yield f"{CUSTOM_KINDS.kind} {name}: the API server does not serve it (not Established)"

    async def _protection(self, protection: Protection) -> AsyncIterator[str]:
        policy, wrong = await self._get(POLICIES, protection.name)
        if policy is None:
            yield wrong
        elif policy.spec != msgspec.convert(protections.policy(protection)["spec"], PolicySpec):
            yield f"{POLICIES.kind} {protection.name}: says something else than it should; {_MEND}"
        binding, wrong = await self._get(BINDINGS, protection.name)
        if binding is None:
            yield wrong
        elif binding.spec != msgspec.convert(protections.binding(protection)["spec"], BindingSpec):
            what = f"expected it to deny all that {protection.name} forbids"
            yield f"{BINDINGS.kind} {protection.name}: {what}; {_MEND}"

    async def _get(self, resource: Resource[T], name: str) -> tuple[T | None, str]:
        """Read an object, or say why it cannot be counted on."""
        try:
            return await self._client.get(resource, name), ""
        except errors.GoneError:
            return None, f"{resource.kind} {name}: is missing; {_MEND}"
        except errors.ForbiddenError as refused:
            return None, f"{resource.kind} {name}: may not be read ({refused})"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
