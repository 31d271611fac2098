"""The manifests are complete and fit together."""

from datetime import timedelta
from typing import Any

import pytest

from agent import settings
from agent.probes.containers import Containers
from agent.probes.runtime import Runtime
from nodehealth import keys
from nodehealth.errand import Program
from remediator import bodies
from remediator.decide.errands import Errand
from remediator.rules import load
from tests.builders import repair
from tests.deploy.manifests import DEPLOY, PROGRAMS, ROOT, configmaps, kustomization, named, objects
from tests.deploy.manifests import templates as pods

RULES = ROOT / "rules"
REBOOT = Errand(program=Program.REBOOT, lasts=timedelta(minutes=5))


@pytest.mark.parametrize("folder", ["crds", "admission"])
def test_a_folder_of_made_manifests_lists_them_all(folder: str) -> None:
    there = sorted(path.name for path in (DEPLOY / folder).glob("*.yaml"))

    assert kustomization(DEPLOY / folder)["resources"] == there


def test_every_rule_is_shipped_under_a_flat_name() -> None:
    shipped = configmaps(RULES)["nodemend-rules"]
    rules = load.rule_files(RULES)

    assert shipped == {".".join(path.relative_to(RULES).parts): path for path in rules}


def test_every_pattern_is_shipped_under_a_flat_name_where_the_agents_look_for_it() -> None:
    shipped = configmaps(RULES)["nodemend-patterns"]
    patterns = load.pattern_files(RULES)
    (pod,) = pods(DEPLOY / "daemonset")

    assert shipped == {".".join(path.relative_to(RULES).parts): path for path in patterns}
    assert {"name": "nodemend-patterns", "optional": True} in [
        volume.get("configMap") for volume in pod["volumes"]
    ]


def test_the_policy_that_is_shipped_only_observes() -> None:
    (policy,) = configmaps(RULES)["nodemend-policy"].values()

    assert load.policy(policy).mode == "observe"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_configmap_that_is_mounted_is_made(program: str) -> None:
    made = {*configmaps(DEPLOY / program), "kube-root-ca.crt"}
    volumes = [volume for pod in pods(DEPLOY / program) for volume in pod["volumes"]]
    sources = [*volumes, *(s for v in volumes for s in v.get("projected", {}).get("sources", ()))]

    needed = [each["configMap"] for each in sources if "configMap" in each]
    assert {each["name"] for each in needed if not each.get("optional")} <= made


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_mount_has_its_volume(program: str) -> None:
    (pod,) = pods(DEPLOY / program)
    (container,) = pod["containers"]

    mounted = [mount["name"] for mount in container["volumeMounts"]]

    assert sorted(mounted) == sorted(volume["name"] for volume in pod["volumes"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_mounted_by_part_so_that_edits_arrive(program: str) -> None:
    (pod,) = pods(DEPLOY / program)

    assert not [mount for mount in pod["containers"][0]["volumeMounts"] if "subPath" in mount]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_selector_finds_the_pods_of_its_template(program: str) -> None:
    found = [each for each in objects(DEPLOY / program) if "template" in each.get("spec", {})]
    labels = found[0]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        each["spec"]["selector"]["matchLabels"]
        for each in objects(DEPLOY / program)
        if "selector" in each.get("spec", {})
    ]

    assert all(selector.items() <= labels.items() for selector in selectors)


@pytest.mark.parametrize(
    ("program", "account"),
    [("daemonset", keys.AGENT_MANAGER), ("remediator", keys.REMEDIATOR_MANAGER)],
)
def test_a_program_is_who_the_admission_policies_take_it_for(program: str, account: str) -> None:
    (pod,) = pods(DEPLOY / program)

    assert pod["serviceAccountName"] == account
    assert named(DEPLOY / program, "ServiceAccount")["metadata"] == {
        "name": account,
        "namespace": keys.NAMESPACE,
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_lies_in_a_namespace_says_in_which(program: str) -> None:
    spaced = {
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "DaemonSet",
        "Deployment",
        "PodDisruptionBudget",
        "ResourceQuota",
        "PodTemplate",
    }

    for each in objects(DEPLOY / program):
        assert ("namespace" in each["metadata"]) == (each["kind"] in spaced), each["metadata"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_quota_lets_pods_of_a_critical_class_run_at_all(program: str) -> None:
    (pod,) = pods(DEPLOY / program)
    scopes = named(DEPLOY / program, "ResourceQuota")["spec"]["scopeSelector"]["matchExpressions"]

    assert pod["priorityClassName"] in scopes[0]["values"]


def test_a_quota_lets_repair_pods_run_too() -> None:
    quota = named(DEPLOY / "remediator", "ResourceQuota", keys.REPAIR_NAMESPACE)

    pod = bodies.pod(REBOOT, repair("n1"), "boot-1", "image")["spec"]
    scopes = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert pod["priorityClassName"] in scopes[0]["values"]


def test_only_the_namespaces_whose_pods_need_it_take_privileged_pods() -> None:
    spaces = [each for each in objects(DEPLOY / "remediator") if each["kind"] == "Namespace"]

    assert {each["metadata"]["name"] for each in spaces} == {
        keys.NAMESPACE,
        keys.REPAIR_NAMESPACE,
    }


def test_repair_pods_have_the_image_of_the_remediator() -> None:
    (pod,) = pods(DEPLOY / "remediator")
    template = named(DEPLOY / "remediator", "PodTemplate", keys.REPAIR_NAMESPACE)
    (container,) = template["template"]["spec"]["containers"]

    assert template["metadata"]["name"] == keys.REPAIR_NAME
    assert container["image"] == pod["containers"][0]["image"]


def test_agents_run_on_linux_machines_alone() -> None:
    (pod,) = pods(DEPLOY / "daemonset")
    affinity = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["nodeSelectorTerms"]

    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert term["matchExpressions"] == [
        {"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]},
        {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]},
    ]


def test_an_agent_may_read_its_host_where_selinux_enforces() -> None:
    (pod,) = pods(DEPLOY / "daemonset")

    assert pod["containers"][0]["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}


def test_agents_are_rolled_out_in_tenths_and_run_on_every_node() -> None:
    daemons = named(DEPLOY / "daemonset", "DaemonSet")["spec"]

    assert daemons["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": "10%"}
    assert daemons["template"]["spec"]["tolerations"] == [{"operator": "Exists"}]


def test_the_remediator_runs_without_privileges() -> None:
    (pod,) = pods(DEPLOY / "remediator")
    context = pod["containers"][0]["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert context == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_agents_settings_are_such_as_an_agent_takes() -> None:
    (file,) = configmaps(DEPLOY / "daemonset")["nodemend-agent"].values()

    probes = settings.load({}, file=file).probes

    assert probes["runtime"] == Runtime(kubelet=True, containerd=True)
    assert isinstance(probes["containers"], Containers)
    assert probes["containers"].sockets[0] == Runtime().containerd_socket


def test_the_agent_may_write_where_it_tries_the_nodes_disk() -> None:
    (pod,) = pods(DEPLOY / "daemonset")
    paths = {
        each["name"]: each["hostPath"]["path"] for each in pod["volumes"] if "hostPath" in each
    }
    mounts = {each["name"]: each for each in pod["containers"][0]["volumeMounts"]}

    assert mounts["state"]["mountPath"] == paths["state"] == str(settings.STATE_FILE.parent)
    assert "readOnly" not in mounts["state"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_asked_where_it_listens(program: str) -> None:
    (pod,) = pods(DEPLOY / program)
    (container,) = pod["containers"]
    (port,) = container["ports"]
    words = [*container["args"], *(f"--{e['name'].lower()}={e.get('value')}" for e in environ(pod))]
    asked = [container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")]

    assert f"--listen=:{port['containerPort']}" in words
    assert asked == [port["name"]] * 2


def test_every_monitor_finds_pods_and_their_port() -> None:
    found = [
        (each["spec"]["selector"]["matchLabels"], each["spec"]["podMetricsEndpoints"][0]["port"])
        for each in objects(DEPLOY / "monitoring")
        if each["kind"] == "PodMonitor"
    ]
    kinds = {"daemonset": "DaemonSet", "remediator": "Deployment"}
    made = [named(DEPLOY / program, kind)["spec"]["template"] for program, kind in kinds.items()]
    names = [each["metadata"]["labels"][keys.NAME_LABEL] for each in made]

    assert found == [({keys.NAME_LABEL: name}, "metrics") for name in names]


def test_the_remediator_knows_agents_by_the_label_that_their_pods_have() -> None:
    template = named(DEPLOY / "daemonset", "DaemonSet")["spec"]["template"]

    assert template["metadata"]["labels"][keys.NAME_LABEL] == keys.AGENT_NAME


def environ(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the environment of a pod's container."""
    found: list[dict[str, Any]] = pod["containers"][0].get("env", [])
    return found
