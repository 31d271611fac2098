"""The manifests for nodes with GPUs, as kubectl makes them: one agent a node, and the right one."""

import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nodehealth import keys, quantities
from tests.kubectl.station import Kubectl, Station
from tests.lacking import lacking

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
PLAIN: Final = keys.AGENT_NAME
GPUS: Final = f"{keys.AGENT_NAME}-gpus"
LINUX: Final = {"kubernetes.io/os": "linux"}
CLIENT: Final = "nvidia.com/gpu.deploy.client"
DCGM: Final = "nvidia.com/gpu.deploy.dcgm"
UPGRADE: Final = "paused-for-driver-upgrade"
PRESENT: Final = {**LINUX, "nvidia.com/gpu.present": "true"}
MAY_BE: Final[Mapping[str, tuple[str, ...]]] = {
    keys.GPU_AGENT_LABEL: ("true", "false"),
    "nvidia.com/gpu.present": ("true", "false"),
    "cloud.google.com/gke-accelerator": ("nvidia-h100-80gb",),
    "kubernetes.azure.com/accelerator": ("nvidia",),
    "karpenter.k8s.aws/instance-gpu-manufacturer": ("nvidia", "amd"),
    "eks.amazonaws.com/instance-gpu-manufacturer": ("nvidia",),
    CLIENT: ("true", UPGRADE, "paused-for-mig-change"),
    DCGM: ("true", "false", UPGRADE, "paused-for-mig-change"),
}
LABELS: Final = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) for key, values in MAY_BE.items()}
)


@functools.cache
def built(program: str, folder: str = "gpus") -> Mapping[str, Mapping[str, Any]]:
    """Return the DaemonSets that kubectl makes of a folder, by name."""
    if not program:
        lacking("no kubectl is in PATH; `.ci/kubectl` gets Debian's")
    words = [program, "kustomize", str(DEPLOY / folder)]
    said = subprocess.run(words, capture_output=True, check=True, text=True, timeout=60)
    made = yaml.safe_load_all(said.stdout)
    return {each["metadata"]["name"]: each for each in made if each["kind"] == "DaemonSet"}


def pod(program: str, name: str) -> dict[str, Any]:
    """Return what a DaemonSet's pods are."""
    found: dict[str, Any] = built(program)[name]["spec"]["template"]["spec"]
    return found


def wants(daemons: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a DaemonSet has a pod on a node, as Kubernetes reads selector and affinity."""
    spec = daemons["spec"]["template"]["spec"]
    affinity = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms = affinity["nodeSelectorTerms"]
    is_chosen = spec["nodeSelector"].items() <= labels.items()
    return is_chosen and any(
        all(holds(each, labels) for each in term["matchExpressions"]) for term in terms
    )


def holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether an expression holds of labels: what is not there is in no list."""
    value = labels.get(expression["key"])
    is_in = value in expression.get("values", ())
    return {
        "In": is_in,
        "NotIn": not is_in,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


def agents(program: str, labels: Mapping[str, str]) -> list[str]:
    """Return which agents run on a node."""
    return [name for name, each in built(program).items() if wants(each, labels)]


@given(labels=LABELS)
def test_exactly_one_agent_runs_on_each_node(program: str, labels: dict[str, str]) -> None:
    assert len(agents(program, {**LINUX, **labels})) == 1


@pytest.mark.parametrize("key", [key for key in MAY_BE if key not in {CLIENT, DCGM}])
def test_whoever_says_that_a_node_has_gpus_is_believed(program: str, key: str) -> None:
    assert agents(program, {**LINUX, key: MAY_BE[key][0]}) == [GPUS]


@pytest.mark.parametrize(
    "labels",
    [
        LINUX,
        {**LINUX, "nvidia.com/gpu.present": "false"},
        {**LINUX, "karpenter.k8s.aws/instance-gpu-manufacturer": "amd"},
        {**PRESENT, keys.GPU_AGENT_LABEL: "false"},
    ],
)
def test_elsewhere_and_where_it_is_not_wanted_no_agent_is_privileged(
    program: str, labels: dict[str, str]
) -> None:
    assert agents(program, labels) == [PLAIN]


@pytest.mark.parametrize("virtual", [{"type": "virtual-kubelet"}, {"kubernetes.io/os": "windows"}])
def test_no_agent_runs_where_none_can(program: str, virtual: dict[str, str]) -> None:
    assert agents(program, {**PRESENT, **virtual}) == []


@pytest.mark.parametrize("key", [CLIENT, DCGM])
@pytest.mark.parametrize("why", [UPGRADE, "paused-for-mig-change"])
def test_while_nvidias_operator_needs_the_driver_the_other_agent_stands_in(
    program: str, key: str, why: str
) -> None:
    assert agents(program, {**PRESENT, key: "true"}) == [GPUS]
    assert agents(program, {**PRESENT, key: why}) == [PLAIN]


def test_a_reset_of_ours_moves_no_agent(program: str) -> None:
    """It asks for NVML by a file; the label by which others give way is not for our agent."""
    paused = {DCGM: "false", keys.GPU_CLIENTS_LABEL: keys.PAUSED}

    assert agents(program, {**PRESENT, **paused}) == [GPUS]


def test_each_daemonset_knows_its_own_pods_and_all_have_the_name_by_which_agents_are_found(
    program: str,
) -> None:
    made = built(program)
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in made.items()}
    chosen = {
        name: [
            other
            for other in made
            if each["spec"]["selector"]["matchLabels"].items() <= labels[other].items()
        ]
        for name, each in made.items()
    }

    assert chosen == {name: [name] for name in (PLAIN, GPUS)}
    assert {each[keys.NAME_LABEL] for each in labels.values()} == {keys.AGENT_NAME}


def test_agents_differ_in_nothing_but_what_gpus_need(program: str) -> None:
    plain, gpus = pod(program, PLAIN), pod(program, GPUS)
    (one,), (other,) = plain["containers"], gpus["containers"]

    assert {key for key in plain | gpus if plain.get(key) != gpus.get(key)} == {
        "affinity",
        "containers",
        "hostPID",
        "terminationGracePeriodSeconds",
        "volumes",
    }
    assert {key for key in one | other if one.get(key) != other.get(key)} == {
        "resources",
        "securityContext",
        "terminationMessagePath",
        "volumeMounts",
    }
    assert [each for each in gpus["volumes"] if each not in plain["volumes"]] == [
        {"name": "devices", "hostPath": {"path": "/dev"}}
    ]
    assert [each for each in other["volumeMounts"] if each not in one["volumeMounts"]] == [
        {"name": "devices", "mountPath": "/dev"}
    ]


def test_an_agent_of_gpus_may_open_every_device_and_says_nothing_that_forbids_it(
    program: str,
) -> None:
    context = pod(program, GPUS)["containers"][0]["securityContext"]

    assert context["privileged"]
    assert context["allowPrivilegeEscalation"]
    assert {"capabilities", "seccompProfile"}.isdisjoint(context)
    assert context["readOnlyRootFilesystem"]


def test_an_agent_of_gpus_has_time_to_end_and_room_for_workers_that_hang(program: str) -> None:
    gpus = pod(program, GPUS)
    memory = gpus["containers"][0]["resources"]["limits"]["memory"]

    assert gpus["terminationGracePeriodSeconds"] >= 30
    assert quantities.size(memory) >= quantities.size("256Mi")


@pytest.mark.parametrize("folder", ["daemonset", "checks"])
def test_without_the_agents_of_gpus_the_others_run_everywhere(program: str, folder: str) -> None:
    (daemons,) = built(program, folder).values()

    assert wants(daemons, LINUX)
    assert wants(daemons, {**PRESENT, CLIENT: UPGRADE})


def names(station: Station) -> list[str]:
    """Return the DaemonSets that are there."""
    return sorted(each["metadata"]["name"] for each in station.direct.listed("daemonsets.apps"))


async def test_whoever_has_agents_gets_those_of_gpus_beside_them(
    kubectl: Kubectl, station: Station
) -> None:
    for folder in ("daemonset", "gpus", "gpus"):
        await kubectl("apply", "-k", str(DEPLOY / folder))

    assert names(station) == [PLAIN, GPUS]


async def test_the_agents_of_gpus_can_be_removed_and_the_others_stay(
    kubectl: Kubectl, station: Station
) -> None:
    await kubectl("apply", "-k", str(DEPLOY / "gpus"))

    await kubectl("-n", keys.NAMESPACE, "delete", "daemonset", GPUS)
    await kubectl("apply", "-k", str(DEPLOY / "daemonset"))

    assert names(station) == [PLAIN]
