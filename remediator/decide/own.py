"""Which conditions of a Node we wrote ourselves: what we say is no evidence to us."""

from nodehealth.keys import CONDITION_VOICE, GROUP
from nodehealth.kube.objects import Condition


def is_ours(condition: Condition) -> bool:
    """Say whether a condition is of our own making, under whatever name it goes."""
    return condition.type.startswith(f"{GROUP}/") or condition.message.startswith(CONDITION_VOICE)
