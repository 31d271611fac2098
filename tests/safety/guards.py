"""Guards, one of which is taken out at a time."""

from typing import Final

from tests.safety.mutating import mutant

_OURS: Final = "        if node is not None and epochs:\n"
_AFTER: Final = "\n    async def surrender("
_STILL: Final = "test_standing_still.py"
_HOOKS: Final = "test_webhooks.py::test_without_a_crash_each_story_ends_well"

GUARDS: Final = (
    mutant(
        "claim-not-written",
        "An order goes out that nobody wrote down.",
        "S11",
        (
            "actions",
            (
                "    await tools.record(structs.replace(repair.status, intent=intent))\n"
                "    await tools.guard()\n"
            ),
            "    await tools.guard()\n",
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
        "no-guard-before-evictions",
        "Pods are asked to leave without a last look at the slot.",
        "S2 EVICTED_UNCORDONED LIMIT",
        (
            "actions.drain",
            "        await tools.guard()\n        answers",
            "        answers",
        ),
        tale=f"{_STILL}::test_nobody_leaves_a_node_that_was_given_back_since_its_pods_were_listed",
    ),
    mutant(
        "one-guard-for-all-evictions",
        "One look at the slot is good for every pod of a pass, however long that takes.",
        "S2 EVICTED_UNCORDONED LIMIT",
        ("evicting", "                await self.guard()\n", ""),
        tale=f"{_STILL}::test_nobody_else_leaves_a_node_that_was_given_back_since_the_last_one_left",
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
        "slot-freed-under-an-order",
        "Who called a person gives the slot away although an order is under way.",
        "S13 LIMIT",
        ("decide.ladder", "    if orders.is_open(repair, node):\n", "    if repair is None:\n"),
        tale="test_power_cycles.py::test_a_machine_that_stays_down_keeps_its_slot",
    ),
    mutant(
        "slot-freed-while-we-have-it-down",
        "The same, where only an earlier remedy took the machine down and nobody saw it boot.",
        "S13 LIMIT",
        ("decide.ladder", "    if orders.is_down_by_us(view):\n", "    if repair is None:\n"),
        tale=(
            "test_sent.py::"
            "test_a_machine_that_went_down_keeps_its_slot_though_a_later_remedy_came_to_nothing"
        ),
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
        seed=9,
    ),
    mutant(
        "rung-skipped",
        "The last remedy of the plan is carried out first.",
        "S12",
        (
            "means",
            "        chosen = joined.ladder(repair)[rung]\n",
            "        chosen = joined.ladder(repair)[-1]\n",
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
    mutant(
        "webhook-key-not-sent",
        "A web service is asked without the key by which it knows what it began.",
        "S3 S11",
        ("actions.webhook", "_ask(repair, key,", '_ask(repair, "",'),
        tale=f"{_HOOKS}[it mends]",
    ),
    mutant(
        "any-answer-believed",
        "What a web service says of another machine is taken for this one's.",
        "S6",
        (
            "actions.webhook",
            "    if answer.node_uid != ask.target.node_uid:\n",
            "    if not answer.node_uid:\n",
        ),
        tale=f"{_HOOKS}[it mends, and takes one machine for another]",
    ),
    mutant(
        "job-not-claimed",
        "A Job is let run that nobody wrote down.",
        "S11",
        ("envoys", "                await self.claim(step.envoy.metadata.uid)\n", ""),
        tale="test_jobs.py::test_without_a_crash_each_story_ends_well[a Job mends it]",
    ),
    mutant(
        "power-cycle-not-claimed",
        "A machine is switched off and on, and nobody wrote that down.",
        "S11",
        (
            "actions.power_cycle",
            "await claim(repair, remedies.POWER_CYCLE, tools, boot_id=boot_id)",
            "boot_id",
        ),
        tale="test_power_cycles.py::test_without_a_crash_each_story_ends_well[it helps]",
    ),
    mutant(
        "gangs-not-claimed",
        "A slot is given without its gangs: a ladder without a drain never asks for them again.",
        "S1",
        (
            "admission",
            "        gangs = claims.of(pods, node, policy, self.now())\n",
            "        gangs = frozenset[str]()\n",
        ),
        tale=(
            "test_gangs.py::"
            "test_a_node_that_is_rebooted_without_a_drain_waits_for_another_one_of_its_gang"
        ),
    ),
    mutant(
        "words-on-a-node-not-read",
        "What people wrote on a Node to hold it back is not looked at.",
        "S9",
        ("decide.pauses", "    if node is None:\n", "    if node is None or ledger is not None:\n"),
        tale="test_pausing.py::test_a_node_that_is_paused_while_it_is_drained_gets_no_next_step",
    ),
)
