"""A person installs nodemend: either program first, once or twice."""

from pathlib import Path
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.protections import PROTECTIONS
from tests.kubectl.station import Kubectl, Station

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
POLICIES: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
PARTS: Final = ("daemonset", "remediator")


async def install(kubectl: Kubectl, *parts: str) -> None:
    """Apply the manifests of some parts, one after the other."""
    for part in parts:
        await kubectl("apply", "-k", str(DEPLOY / part))


def programs(station: Station) -> list[str]:
    """Return the workloads that are there."""
    kinds = ("daemonsets.apps", "deployments.apps")
    found = [each for kind in kinds for each in station.direct.listed(kind)]
    assert {each["metadata"]["namespace"] for each in found} <= {keys.NAMESPACE}
    return [each["metadata"]["name"] for each in found]


@pytest.mark.parametrize("order", [PARTS, PARTS[::-1]], ids="-then-".join)
async def test_both_programs_are_installed_in_any_order(
    kubectl: Kubectl, station: Station, order: tuple[str, str]
) -> None:
    await install(kubectl, *order)

    assert programs(station) == [keys.AGENT_MANAGER, keys.REMEDIATOR_MANAGER]


@pytest.mark.parametrize("part", PARTS)
async def test_each_brings_the_admission_policies_along(
    kubectl: Kubectl, station: Station, part: str
) -> None:
    await install(kubectl, part)

    found = {each["metadata"]["name"] for each in station.direct.listed(POLICIES)}
    assert found == {each.name for each in PROTECTIONS}


async def test_installing_again_changes_nothing(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl, *PARTS)
    before = station.wanted()

    await install(kubectl, *PARTS)

    assert station.wanted() == before


async def test_what_was_installed_can_be_removed(kubectl: Kubectl, station: Station) -> None:
    await install(kubectl, *PARTS)

    for part in PARTS:
        await kubectl("delete", "-k", str(DEPLOY / part), "--ignore-not-found")

    assert programs(station) == []
