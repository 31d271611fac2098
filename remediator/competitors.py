"""Looks now and then who else repairs nodes in the cluster, and says how far we go beside them."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Object, Resource, Struct
from nodehealth.repair import Mode
from remediator.decide import competitors
from remediator.decide.competitors import Competitor
from remediator.rules.policy import Beside, Policy

logger = logging.getLogger(__name__)

_PAUSED: Final = "cluster.x-k8s.io/paused"


class CheckSpec(Struct, frozen=True, kw_only=True):
    """Whether a health check of others is held back."""

    pause_requests: tuple[str, ...] = ()


class HealthCheck(Object, frozen=True, kw_only=True):
    """An object by which somebody else is told to repair nodes."""

    spec: CheckSpec = CheckSpec()


def _resource(full: str, version: str, kind: str, *, namespaced: bool) -> Resource[HealthCheck]:
    plural, _, group = full.partition(".")
    return Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        namespaced=namespaced,
        type=HealthCheck,
    )


_MEDIK8S, _CLUSTER_API, _OPENSHIFT = competitors.KINDS
_SERVED: Final = {
    _MEDIK8S: (_resource(_MEDIK8S, "v1alpha1", "NodeHealthCheck", namespaced=False),),
    _CLUSTER_API: tuple(
        _resource(_CLUSTER_API, version, "MachineHealthCheck", namespaced=True)
        for version in ("v1beta2", "v1beta1")
    ),
    _OPENSHIFT: (_resource(_OPENSHIFT, "v1beta1", "MachineHealthCheck", namespaced=True),),
}
"""By resource, where its objects are to be found: under the first version that is served."""


async def checks(client: Client) -> Mapping[str, tuple[str, ...]]:
    """Name the objects by which others are told to repair nodes, and are not held back.

    What is not served, or not ours to see, is none.
    """
    return {resource: await _names(client, served) for resource, served in _SERVED.items()}


async def _names(client: Client, served: Iterable[Resource[HealthCheck]]) -> tuple[str, ...]:
    for each in served:
        try:
            items = (await client.listing(each)).items
        except (errors.GoneError, errors.ForbiddenError):
            continue
        return tuple(one.metadata.name for one in items if not _is_held_back(one))
    return ()


def _is_held_back(check: HealthCheck) -> bool:
    return bool(check.spec.pause_requests) or _PAUSED in check.metadata.annotations


class Competitors:
    """Knows who else repairs nodes.

    Args:
        client: The door to the API server.
        nodes: All nodes as they were seen last.
        found: Is told who there is, whenever somebody has looked.
    """

    def __init__(
        self,
        client: Client,
        *,
        nodes: Callable[[], Iterable[Node]],
        found: Callable[[tuple[Competitor, ...]], None],
    ) -> None:
        self._client, self._nodes, self._found = client, nodes, found
        self.known: tuple[Competitor, ...] | None = None
        """Nothing before the first look."""

    async def look(self) -> None:
        """Look once; while the API server is away, what was seen last stands."""
        try:
            listed = await checks(self._client)
        except errors.KubeError as failed:
            logger.info("cannot see who else repairs nodes: %s", failed)
            return
        now = competitors.found(self._nodes(), listed)
        for each in now:
            if each not in (self.known or ()):
                logger.warning("%s", competitors.sentence(each))
        self.known = now
        self._found(now)


def most(known: Iterable[Competitor] | None, policy: Policy) -> Mode:
    """Say how far we go beside those who repair nodes too; who may be there counts as there."""
    if policy.competitors is Beside.WARN:
        return Mode.ENFORCE
    is_alone = known is not None and not any(each.certain for each in known)
    return Mode.ENFORCE if is_alone else Mode.OBSERVE
