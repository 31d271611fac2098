"""Pods as each system makes them: their marks in full, and what else tells their gangs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from nodehealth.kube.objects import Pod

_GPUS: Final = {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "8"}}}]}
_JOB: Final = {
    "batch.kubernetes.io/controller-uid": "5f3b",
    "batch.kubernetes.io/job-name": "train-workers-0",
    "controller-uid": "5f3b",
    "job-name": "train-workers-0",
}
_INDEXED: Final = {**_JOB, "batch.kubernetes.io/job-completion-index": "3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a system makes, and which gang that is."""

    gang: str
    """Empty where it is in none."""
    falls: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    def pod(self) -> Pod:
        """Read it as the API server sends it."""
        meta = {
            "name": "p",
            "namespace": "ml",
            "labels": self.labels,
            "annotations": self.annotations,
        }
        sent = {"metadata": meta, "spec": self.spec, "status": {"phase": "Running"}}
        return msgspec.json.decode(msgspec.json.encode(sent), type=Pod)


MADE: Final[Mapping[str, Made]] = {
    "a pod group of Kubernetes": Made(
        gang="podgroup/llm-workers-7d9f",
        labels=_INDEXED,
        spec={"schedulingGroup": {"podGroupName": "llm-workers-7d9f"}},
    ),
    "a JobSet": Made(
        gang="jobset/train",
        labels={
            **_INDEXED,
            "jobset.sigs.k8s.io/jobset-name": "train",
            "jobset.sigs.k8s.io/replicatedjob-name": "workers",
            "jobset.sigs.k8s.io/replicatedjob-replicas": "1",
            "jobset.sigs.k8s.io/job-index": "0",
            "jobset.sigs.k8s.io/job-key": "9b1c",
            "jobset.sigs.k8s.io/restart-attempt": "0",
        },
    ),
    "a TrainJob of Kubeflow": Made(
        gang="jobset/finetune",
        labels={
            **_INDEXED,
            "jobset.sigs.k8s.io/jobset-name": "finetune",
            "jobset.sigs.k8s.io/replicatedjob-name": "node",
            "trainer.kubeflow.org/trainjob-ancestor-step": "trainer",
        },
    ),
    "a group of a LeaderWorkerSet": Made(
        gang="lws/vllm/1",
        labels={
            "leaderworkerset.sigs.k8s.io/name": "vllm",
            "leaderworkerset.sigs.k8s.io/group-index": "1",
            "leaderworkerset.sigs.k8s.io/group-key": "af6322ca",
            "leaderworkerset.sigs.k8s.io/worker-index": "2",
            "leaderworkerset.sigs.k8s.io/template-revision-hash": "5c5f",
            "apps.kubernetes.io/pod-index": "2",
        },
    ),
    "a PyTorchJob": Made(
        gang="training/bert",
        labels={
            "training.kubeflow.org/job-name": "bert",
            "training.kubeflow.org/operator-name": "pytorchjob-controller",
            "training.kubeflow.org/replica-type": "worker",
            "training.kubeflow.org/replica-index": "1",
        },
    ),
    "the launcher of an MPIJob": Made(
        gang="training/nccl",
        labels={
            "training.kubeflow.org/job-name": "nccl",
            "training.kubeflow.org/job-role": "launcher",
            "training.kubeflow.org/operator-name": "mpi-operator",
            "batch.kubernetes.io/job-name": "nccl-launcher",
        },
    ),
    "the head of a RayCluster": Made(
        gang="ray/tune-raycluster-x7k2p",
        labels={
            "ray.io/cluster": "tune-raycluster-x7k2p",
            "ray.io/node-type": "head",
            "ray.io/group": "headgroup",
            "ray.io/is-ray-node": "yes",
            "ray.io/originated-from-cr-name": "tune",
            "ray.io/originated-from-crd": "RayJob",
        },
        annotations={"ray.io/ft-enabled": "false"},
    ),
    "a worker of a RayCluster": Made(
        gang="ray/serve",
        labels={
            "ray.io/cluster": "serve",
            "ray.io/node-type": "worker",
            "ray.io/group": "gpu",
            "ray.io/is-ray-node": "yes",
            "ray.io/worker-group-replica-index": "4",
        },
    ),
    "one of several hosts that are one worker of a RayCluster": Made(
        gang="ray/tpus/tpu-group-af03d",
        labels={
            "ray.io/cluster": "tpus",
            "ray.io/node-type": "worker",
            "ray.io/worker-group-replica-name": "tpu-group-af03d",
            "ray.io/worker-group-replica-index": "0",
            "ray.io/replica-host-index": "1",
        },
    ),
    "the driver of a Spark application": Made(
        gang="spark/spark-12f88a73",
        labels={
            "spark-app-selector": "spark-12f88a73",
            "spark-app-name": "etl",
            "spark-role": "driver",
            "sparkoperator.k8s.io/app-name": "etl",
        },
    ),
    "an executor of a Spark application": Made(
        gang="spark/spark-12f88a73",
        falls=False,
        labels={
            "spark-app-selector": "spark-12f88a73",
            "spark-exec-id": "7",
            "spark-role": "executor",
        },
    ),
    "an executor that only Spark's operator names": Made(
        gang="spark/etl",
        falls=False,
        labels={"sparkoperator.k8s.io/app-name": "etl", "spark-role": "executor"},
    ),
    "a job of Volcano": Made(
        gang="volcano/mpi-3c1e",
        labels={"volcano.sh/job-name": "mpi", "volcano.sh/job-namespace": "ml"},
        annotations={
            "scheduling.k8s.io/group-name": "mpi-3c1e",
            "volcano.sh/task-spec": "worker",
            "volcano.sh/queue-name": "research",
        },
        spec={"schedulerName": "volcano"},
    ),
    "a Deployment that Volcano places": Made(
        gang="",
        labels={"app": "web"},
        annotations={"scheduling.k8s.io/group-name": "podgroup-0b7e2f6a"},
        spec={"schedulerName": "volcano"},
    ),
    "a group of the coscheduling plugin": Made(
        gang="coscheduling/gang", labels={"scheduling.x-k8s.io/pod-group": "gang"}
    ),
    "a task group of YuniKorn": Made(
        gang="yunikorn/app-1",
        labels={"yunikorn.apache.org/app-id": "app-1", "yunikorn.apache.org/queue": "root.ml"},
        annotations={
            "yunikorn.apache.org/task-group-name": "members",
            "yunikorn.apache.org/task-groups": '[{"name": "members", "minMember": 4}]',
        },
        spec={"schedulerName": "yunikorn"},
    ),
    "what YuniKorn takes for one application": Made(
        gang="yunikorn/yunikorn-ml-autogen",
        falls=False,
        labels={"applicationId": "yunikorn-ml-autogen", "queue": "root.ml"},
        spec={"schedulerName": "yunikorn"},
    ),
    "what has YuniKorn's old label and another scheduler": Made(
        gang="", labels={"applicationId": "billing"}, spec={"schedulerName": "default-scheduler"}
    ),
    "a group of plain pods in Kueue": Made(
        gang="kueue/nccl-test",
        labels={
            "kueue.x-k8s.io/managed": "true",
            "kueue.x-k8s.io/queue-name": "research",
            "kueue.x-k8s.io/pod-group-name": "nccl-test",
        },
        annotations={"kueue.x-k8s.io/pod-group-total-count": "2"},
    ),
    "whatever else Kueue admitted": Made(
        gang="kueue/pod-notebook-1f2e",
        labels={"kueue.x-k8s.io/managed": "true", "kueue.x-k8s.io/podset": "main"},
        annotations={"kueue.x-k8s.io/workload": "pod-notebook-1f2e"},
    ),
    "a Job in Kueue whose pods share out work": Made(
        gang="kueue/job-render-77aa",
        falls=False,
        labels=_JOB,
        annotations={"kueue.x-k8s.io/workload": "job-render-77aa"},
    ),
    "a Job that Kueue placed by topology": Made(
        gang="kueue/job-render-77aa",
        labels={**_JOB, "kueue.x-k8s.io/tas": "true"},
        annotations={"kueue.x-k8s.io/workload": "job-render-77aa"},
    ),
    "an indexed Job with GPUs": Made(gang="job/train-workers-0", labels=_INDEXED, spec=_GPUS),
    "an indexed Job with devices of its own": Made(
        gang="job/train-workers-0",
        labels=_INDEXED,
        spec={
            "resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "eight"}],
            "containers": [{"name": "main", "resources": {"claims": [{"name": "gpus"}]}}],
        },
    ),
    "an indexed Job without GPUs": Made(gang="job/train-workers-0", falls=False, labels=_INDEXED),
    "a Job with GPUs whose pods share out work": Made(
        gang="job/train-workers-0", falls=False, labels=_JOB, spec=_GPUS
    ),
    "a Job of an old cluster": Made(gang="job/old", falls=False, labels={"job-name": "old"}),
    "a pod of a Deployment": Made(gang="", labels={"app": "web", "pod-template-hash": "6b8d"}),
    "what its owner calls a gang": Made(
        gang="nodemend/pipeline-2", labels={"app": "web", "nodemend.dev/gang": "pipeline-2"}
    ),
    "what its owner calls no gang": Made(
        gang="ray/batch",
        falls=False,
        labels={"ray.io/cluster": "batch", "nodemend.dev/gang": "none"},
    ),
    "what is in no gang and says so": Made(gang="", annotations={"nodemend.dev/gang": "none"}),
}
