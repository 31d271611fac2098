"""What keeps pods from leaving until a person changes something: named, with who can change it."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from nodehealth import keys
from nodehealth.kube.objects import Pod
from nodehealth.repair import OBSTACLES_LENGTH, Obstacle
from remediator.decide import eviction
from remediator.decide.budgets import Diagnosis
from remediator.decide.eviction import Verdict

_WEBHOOK: Final = re.compile(r'webhook "([^"]+)"')
_WEBHOOKS: Final = "Webhook/"
_NAME: Final = 253
_TEXT: Final = 1024


def of_budgets(pod: Pod, found: Diagnosis, now: datetime) -> Obstacle | None:
    """Name the budgets that have to be mended; nothing where it is enough to wait."""
    if not found.advice:
        return None
    what = f"PodDisruptionBudget/{pod.metadata.namespace}/{'+'.join(found.budgets)}"
    return _of(pod, what, found.said(), now)


def of_refusal(pod: Pod, text: str, now: datetime) -> Obstacle | None:
    """Name the webhook that does not let a pod go, or did not answer."""
    named = _WEBHOOK.search(text)
    return None if named is None else _of(pod, f"{_WEBHOOKS}{named[1]}", text, now)


def is_webhook(obstacle: Obstacle) -> bool:
    """Say whether it is a webhook that does not let pods go."""
    return obstacle.what.startswith(_WEBHOOKS)


def of_held(held: Verdict, now: datetime) -> Obstacle:
    """Name a pod that a person has to decide on."""
    text = f"{held.why}: see to it and delete it, or annotate it with {keys.DRAIN}=evict"
    return _of(held.pod, f"Pod/{name(held.pod)}", text, now)


def with_those(known: tuple[Obstacle, ...], found: Iterable[Obstacle]) -> tuple[Obstacle, ...]:
    """Add what is not known yet: each is said once, since it was first seen."""
    by_name = {each.what: each for each in known}
    for each in found:
        by_name.setdefault(each.what, each)
    return tuple(by_name.values())[:OBSTACLES_LENGTH]


def said(obstacle: Obstacle) -> str:
    """Put an obstacle into one sentence."""
    owner = f" of {obstacle.owner}" if obstacle.owner else ""
    return f"{obstacle.what}{owner}: {obstacle.advice}"


def name(pod: Pod) -> str:
    """Name a pod by its namespace too."""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _of(pod: Pod, what: str, why: str, now: datetime) -> Obstacle:
    advice = f"{name(pod)} may not leave because {why}"
    owner = eviction.workload(pod)[:_NAME]
    return Obstacle(what=what[:_NAME], owner=owner, advice=advice[:_TEXT], since=now)
