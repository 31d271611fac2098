"""S5: what is not ours stays as it is."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nodehealth import keys
from simulator import records
from tests.safety.witnesses.history import Deed, Witness

_OURS: Final = f"{keys.GROUP}/"
_MAPS: Final = ("labels", "annotations")
_TRUE: Final = "true"
_THEIR_TAINTS: Final = (
    "ToBeDeletedByClusterAutoscaler",
    "aws-node-termination-handler/",
    "cloud.google.com/impending-node-termination",
    "karpenter.sh/",
    "medik8s.io/",
    "remediation.medik8s.io/",
)
"""How the taints begin by which others say that a Node is in their hands."""
_THEIR_ANNOTATIONS: Final = {
    "machineconfiguration.openshift.io/state": ("Working", "Rebooting"),
    "weave.works/kured-reboot-in-progress": (),
}
"""By which annotations they do, and with which values; any where none is named."""
_THEIR_CONDITIONS: Final = ("DrainInProgress", "MaintenanceInProgress", "Terminating")


@dataclass(slots=True)
class Untouched(Witness):
    """S5: of a Node only our own entries come and go, and a cordon only if it was ours."""

    labels: frozenset[str] = frozenset()
    """Labels that the policy lets us set."""

    def done(self, deed: Deed) -> None:
        """Compare a Node as it was with what we made of it."""
        if deed.entry.resource != records.NODES or deed.before is None or deed.after is None:
            return
        was, now = msgspec.json.decode(deed.before.body), msgspec.json.decode(deed.after.body)
        touched = [*self._entries(was, now), *_rest(was, now)]
        if touched:
            self.history.breach("S5", f"{deed.entry.name}: {', '.join(touched)} changed by us")
        opened = was["spec"].get("unschedulable") and not now["spec"].get("unschedulable")
        if opened and keys.PRE_CORDONED_ANNOTATION in was["metadata"].get("annotations", {}):
            self.history.breach("S5", f"{deed.entry.name} was uncordoned, it was not our cordon")
        holders = _holders(was) if opened else []
        if holders:
            self.history.breach("S5", f"{deed.entry.name} was uncordoned under {holders}")

    def _entries(self, was: dict[str, Any], now: dict[str, Any]) -> list[str]:
        return [
            f"{part} {key}"
            for part in _MAPS
            for key in _differing(was["metadata"].get(part, {}), now["metadata"].get(part, {}))
            if not key.startswith(_OURS) and key not in self.labels and not _is_noted(key, was, now)
        ]


def _holders(node: dict[str, Any]) -> list[str]:
    """Name the marks that say that somebody else works on a Node."""
    meta = node["metadata"]
    taints = [each["key"] for each in node["spec"].get("taints", ())]
    noted = [
        key
        for key, value in meta.get("annotations", {}).items()
        if key in _THEIR_ANNOTATIONS and value in (_THEIR_ANNOTATIONS[key] or (value,))
    ]
    said = [
        each["type"]
        for each in node.get("status", {}).get("conditions", ())
        if each["type"] in _THEIR_CONDITIONS and each["status"] == "True"
        if not each.get("message", "").startswith(keys.CONDITION_VOICE)
    ]
    leaving = ["deletionTimestamp"] if meta.get("deletionTimestamp") else []
    return [*(key for key in taints if key.startswith(_THEIR_TAINTS)), *noted, *said, *leaving]


def _is_noted(key: str, was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Say whether we put an entry of others there, or take it off, and a note of ours says so."""
    if key != keys.SCALE_DOWN_DISABLED_ANNOTATION:
        return False
    notes = [each["metadata"].get("annotations", {}) for each in (was, now)]
    said = [(each.get(key), each.get(keys.SCALE_DOWN_ANNOTATION)) for each in notes]
    return sorted(said, key=str) == [(_TRUE, _TRUE), (None, None)]


def _rest(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Name taints and conditions of others that came or went, and everything else of the spec."""
    taints, conditions = _foreign_taints(was) ^ _foreign_taints(now), _conditions(was, now)
    spec = _differing(was["spec"], now["spec"]) - {"taints", "unschedulable"}
    return [*(f"taint {key}" for key in sorted(taints)), *conditions, *sorted(spec)]


def _foreign_taints(node: dict[str, Any]) -> set[str]:
    """Return the taints of others; the one that says what spec.unschedulable says comes with it."""
    counted = Counter(
        f"{each['key']}={each.get('value', '')}:{each.get('effect')}"
        for each in node["spec"].get("taints", ())
        if not each["key"].startswith(_OURS)
        and each["key"] != keys.UNSCHEDULABLE_TAINT
        and (each["key"], each.get("value")) != _OUR_SERVICE_MARK
    )
    return {f"{name} x{count}" for name, count in counted.items()}


def _conditions(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = (
        {c["type"]: c for c in n.get("status", {}).get("conditions", ())} for n in (was, now)
    )
    theirs = (
        each for each in _differing(old, new) if not all(_speaks(each, said) for said in (old, new))
    )
    return [f"condition {each}" for each in theirs]


def _speaks(type_: str, said: dict[str, dict[str, Any]]) -> bool:
    """Say whether a condition is not there, or is of our making under whatever name."""
    one = said.get(type_)
    voiced = one is not None and one.get("message", "").startswith(keys.CONDITION_VOICE)
    return one is None or voiced or type_.startswith(_OURS)


def _differing(was: dict[str, Any], now: dict[str, Any]) -> set[str]:
    return {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}


_OUR_SERVICE_MARK: Final = (keys.OUT_OF_SERVICE_TAINT, keys.OUT_OF_SERVICE_VALUE)
