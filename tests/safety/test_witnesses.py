"""Those who watch over the promises know nothing of the program that they watch."""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodehealth import keys
from nodehealth.repair import Intent, NodeRepair, NodeRepairStatus
from simulator import records
from simulator.api.audit import AuditEntry
from simulator.api.store import Entry
from tests.builders import NOON, ledger, repair, slot
from tests.safety.witnesses.beginning import GRACE
from tests.safety.witnesses.foreign import Untouched
from tests.safety.witnesses.history import Deed, History
from tests.safety.witnesses.holding import Held

WITNESSES = sorted((Path(__file__).parent / "witnesses").glob("*.py"))


@pytest.mark.parametrize("path", WITNESSES, ids=lambda path: path.stem)
def test_a_witness_imports_nothing_of_the_remediator(path: Path) -> None:
    tree = ast.parse(path.read_text())
    named = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    named |= {a.name for each in ast.walk(tree) if isinstance(each, ast.Import) for a in each.names}

    assert not any(name.partition(".")[0] == "remediator" for name in named)
    assert {n for n in named if n.startswith("tests")} <= {
        f"tests.safety.witnesses.{each.stem}" for each in WITNESSES
    }


def claiming(attempt: int) -> NodeRepair:
    intent = Intent(action="replace", key=f"k-{attempt}", issued_at=NOON, attempt=attempt)
    return repair("n1", status=NodeRepairStatus(intent=intent))


def asked(verb: str, resource: str, name: str, subresource: str = "") -> AuditEntry:
    return AuditEntry(
        at=NOON,
        user="remediator",
        manager="",
        verb=verb,
        method="DELETE",
        path="",
        resource=resource,
        subresource=subresource,
        namespace="",
        name=name,
        dry_run=False,
        code=200,
    )


def breaches_of_an_order(*, held: str, by_then: NodeRepair, at_last: NodeRepair) -> list[str]:
    """Have a person delete the ledger, a machine be deleted next, and ask the witness."""
    history = History(user="remediator", now=NOON)
    witness, lost = Held(history), ledger(slots={held: slot(2, name=held)})
    history.repairs = {"n1-repair": by_then}
    witness.ledger(lost, None)
    history.repairs = {"n1-repair": at_last}
    gone = Entry(key="n1", version=1, body=b"{}", labels={}, fields={})
    witness.done(Deed(entry=asked("delete", records.MACHINES, "n1"), before=gone, after=None))
    return [each.promise for each in history.breaches]


def breaches_of_an_eviction(*, held: str, after: timedelta) -> list[str]:
    """Have a person delete the ledger, a pod of n1 be evicted later, and ask the witness."""
    history = History(user="remediator", now=NOON)
    witness = Held(history)
    witness.ledger(ledger(slots={held: slot(2, name=held)}), None)
    history.now += after
    fields = {"spec.nodeName": "n1"}
    pod = Entry(key="web-1", version=1, body=b"{}", labels={}, fields=fields)
    leaving = Entry(key="web-1", version=2, body=b"{}", labels={}, fields=fields)
    entry = asked("create", records.PODS, "web-1", "eviction")
    witness.done(Deed(entry=entry, before=pod, after=leaving))
    return [each.promise for each in history.breaches]


def test_an_order_may_be_on_the_wire_when_a_person_deletes_the_ledger() -> None:
    order = claiming(1)

    assert breaches_of_an_order(held="n1", by_then=order, at_last=order) == []


def test_an_order_that_is_claimed_without_a_ledger_breaks_a_promise() -> None:
    for by_then in (repair("n1"), claiming(1)):
        assert breaches_of_an_order(held="n1", by_then=by_then, at_last=claiming(2)) == ["S2"]


def test_an_order_that_the_lost_ledger_did_not_allow_breaks_a_promise() -> None:
    order = claiming(1)

    assert breaches_of_an_order(held="n2", by_then=order, at_last=order) == ["S2"]


def test_an_eviction_may_be_on_the_wire_when_a_person_deletes_the_ledger() -> None:
    assert breaches_of_an_eviction(held="n1", after=GRACE) == []


def test_an_eviction_that_no_ledger_allowed_or_only_long_ago_breaks_a_promise() -> None:
    assert breaches_of_an_eviction(held="n2", after=timedelta()) == ["S2"]
    assert breaches_of_an_eviction(held="n1", after=GRACE + timedelta(seconds=1)) == ["S2"]


def marked(**theirs: str) -> dict[str, Any]:
    """Return a Node that we hold, with an annotation, a taint or a condition of others."""
    annotations = {keys.FENCE_ANNOTATION: "5:disrupted"}
    annotations |= {theirs["annotation"]: "Working"} if "annotation" in theirs else {}
    taints = [{"key": theirs["taint"], "effect": "NoSchedule"}] if "taint" in theirs else []
    said = {"type": theirs.get("condition", "Ready"), "status": theirs.get("status", "True")}
    return {
        "metadata": {"name": "n1", "annotations": annotations},
        "spec": {"unschedulable": True, "taints": taints},
        "status": {"conditions": [{**said, "message": theirs.get("message", "")}]},
    }


def breaches_of_an_uncordon(was: dict[str, Any]) -> list[str]:
    """Have a Node be uncordoned by us, and ask the witness."""
    history = History(user="remediator", now=NOON)
    now = {**was, "spec": {"taints": was["spec"]["taints"]}}
    before, after = (
        Entry(key="n1", version=n, body=msgspec.json.encode(each), labels={}, fields={})
        for n, each in enumerate((was, now))
    )
    entry = asked("patch", records.NODES, "n1")
    Untouched(history).done(Deed(entry=entry, before=before, after=after))
    return [each.promise for each in history.breaches]


@pytest.mark.parametrize(
    "theirs",
    [
        {"taint": "karpenter.sh/disrupted"},
        {"taint": "medik8s.io/drain"},
        {"annotation": "weave.works/kured-reboot-in-progress"},
        {"annotation": "machineconfiguration.openshift.io/state"},
        {"condition": "MaintenanceInProgress"},
    ],
    ids=str,
)
def test_an_uncordon_under_the_hands_of_others_breaks_a_promise(theirs: dict[str, str]) -> None:
    assert breaches_of_an_uncordon(marked(**theirs)) == ["S5"]


@pytest.mark.parametrize(
    "nobodys",
    [
        {},
        {"taint": "example.com/x"},
        {"annotation": "example.com/x"},
        {"condition": "DrainInProgress", "status": "False"},
        {"condition": "DrainInProgress", "message": f"{keys.CONDITION_VOICE}drains it"},
    ],
    ids=str,
)
def test_an_uncordon_of_what_nobody_else_works_on_breaks_none(nobodys: dict[str, str]) -> None:
    assert breaches_of_an_uncordon(marked(**nobodys)) == []
