"""Guards, one of which is taken out at a time: ordeals show that it is missing."""

from typing import Final

from tests.safety.mutating import mutant

_OURS: Final = "        if node is not None and epochs:\n"
_AFTER: Final = "\n    async def surrender("

GUARDS: Final = (
    mutant(
        "claim-not-written",
        "An order goes out that nobody wrote down.",
        "S11",
        (
            "actions",
            (
                "    await tools.record("
                "structs.replace(repair.status, intent=intent, boots_ended=ended))\n"
                "    await tools.guard()\n"
            ),
            "    del ended\n    await tools.guard()\n",
        ),
        seed=0,
    ),
    mutant(
        "errand-bound-by-name",
        "Whatever Pod has the name is bound, and not the one that was claimed.",
        "S11",
        (
            "errands",
            "uid=meta.uid,\n                resource_version=meta.resource_version,\n",
            'uid="",\n',
        ),
        seed=19,
    ),
    mutant(
        "ledger-before-node",
        "A slot is given back before the Node says so.",
        "S2 S13",
        ("admission", f"{_OURS}            await self._marking.release(node, epochs)\n", ""),
        (
            "admission",
            _AFTER,
            f"{_OURS}            await self._marking.release(node, epochs)\n{_AFTER}",
        ),
        seed=0,
    ),
    mutant(
        "out-of-service-unproven",
        "A Node is put out of service as soon as its machine is ordered off.",
        "S7 OUT_OF_SERVICE_ON",
        (
            "decide.fencing",
            "return _prove(look) if look.fencing.method is None else _clear(look)",
            "return _prove(look) if look.repair.status.intent is None else PutOutOfService()",
        ),
        seed=5,
    ),
    mutant(
        "others-not-counted",
        "Nodes on which others are at work take no room.",
        "S1",
        (
            "decide.limits",
            "    working = ours.keys() | theirs.keys()\n",
            "    working = ours.keys() | set()\n",
        ),
        ("decide.limits", "_busy(target.node, scope) or _slot_refusal(", "_slot_refusal("),
        seed=61,
    ),
    mutant(
        "tokens-not-spent",
        "A rate is looked at, and nothing is taken from it.",
        "S4",
        (
            "decide.limits",
            "    paid = rates.spent(status, spendings, now)\n",
            "    paid = status\n    del spendings\n",
        ),
        seed=31,
    ),
    mutant(
        "lost-ledger-stays-open",
        "After the ledger was lost, disruption goes on without a person's look.",
        "S9",
        (
            "ledgers",
            "            ledger = await self._create(closed=bool(found))\n",
            "            ledger = await self._create(closed=False)\n",
        ),
    ),
    mutant(
        "gate-not-asked",
        "Disruption goes on although a person closed it.",
        "S9",
        ("decide.gates", "    _closed,\n", ""),
        seed=1,
    ),
    mutant(
        "pause-not-asked",
        "What begins begins although people paused it.",
        "S9",
        ("decide.gates", "    _paused,\n", ""),
    ),
    mutant(
        "breaker-not-asked",
        "What begins begins although a breaker is open.",
        "S9",
        ("decide.gates", "    _broken,\n", ""),
        seed=0,
    ),
    mutant(
        "every-cordon-is-ours",
        "A Node that somebody else had cordoned is opened with our own release.",
        "S5 UNCORDONED_FOREIGN",
        (
            "decide.marks",
            "    if pre_cordoned(node):\n        changes",
            "    if not node:\n        changes",
        ),
        seed=61,
    ),
    mutant(
        "opened-under-others",
        "A Node is uncordoned while somebody else is at work on it.",
        "S5",
        (
            "decide.maintenance",
            '    return (actor(node) or held) if marks.is_opened_by_release(node) else ""\n',
            '    del node, held\n    return ""\n',
        ),
        tale=(
            "test_beside_others.py::"
            "test_a_mended_node_is_given_back_when_nobody_else_is_at_work_on_it_any_more"
        ),
    ),
    mutant(
        "evidence-not-asked",
        "What was found once is acted on, whatever is known of it now.",
        "S6",
        (
            "decide.ladder",
            "    if joined.holds(view):\n        return None\n    phase",
            "    if view:\n        return None\n    phase",
        ),
        ("decide.endings", "    if joined.is_over(view):\n", "    if not view:\n"),
        ("decide.ladder", "    if joined.is_curable(view):\n", "    if view:\n"),
        seed=1,
    ),
    mutant(
        "gate-not-asked-before-next-step",
        "What was begun takes every step, whatever was closed or paused since.",
        "S9",
        (
            "decide.ladder",
            "    if shut is not None and not rungs.is_under_way(view.repair):\n",
            "    if shut is not None and view is None:\n",
        ),
        (
            "climbing",
            "    if not refusal and not rungs.is_under_way(began):\n",
            "    if refusal is None:\n",
        ),
        seed=30,
    ),
    mutant(
        "rung-skipped",
        "The last remedy of the plan is carried out first.",
        "S12",
        (
            "means",
            "        return actions.of(repair, rung, self.actions)\n",
            "        return actions.of(repair, -1, self.actions)\n",
        ),
        seed=0,
    ),
    mutant(
        "evicted-by-name",
        "Whatever pod has the name is asked to leave.",
        "S7",
        (
            "evicting",
            "namespace=meta.namespace, uid=meta.uid)",
            'namespace=meta.namespace, uid="")',
        ),
        seed=0,
    ),
    mutant(
        "observing-acts",
        "A rule that may only observe does what it would do.",
        "S10",
        ("decide.ladder", "    if repair.spec.mode is not Mode.ENFORCE:\n", "    if not repair:\n"),
        (
            "decide.ladder",
            "    if view.allowed is Mode.ENFORCE:\n        return None\n",
            "    if view:\n        return None\n",
        ),
        seed=6,
    ),
    mutant(
        "another-repair-each-time",
        "A repair is opened although the node has one.",
        "S15",
        (
            "decide.plan",
            "    if any(is_open(each) for each in past) or is_spared",
            "    if is_spared",
        ),
        ("reconcile", "        is_free = repair is None and", "        is_free ="),
        seed=0,
    ),
)
