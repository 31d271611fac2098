"""Guards whose lack is too rare for ordeals to show, or in what they don't play: a tale does."""

from typing import Final

from tests.safety.mutating import mutant

_STILL: Final = "test_standing_still.py"
_BRAINS: Final = "test_control_plane.py"
_HOOKS: Final = "test_webhooks.py::test_without_a_crash_each_story_ends_well"

RARE: Final = (
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
    mutant(
        "control-plane-not-spared",
        "A node of the control plane is repaired as any other, whatever the policy says.",
        "S8",
        (
            "decide.plan",
            "(brain and not policy.control_plane) or bool(",
            "(brain and policy is None) or bool(",
        ),
        (
            "decide.brains",
            "    if CONTROL_PLANE_LABEL not in node.metadata.labels or policy.control_plane:\n",
            "    if policy:\n",
        ),
        tale=f"{_BRAINS}::"
        "test_a_control_plane_is_neither_cordoned_nor_disrupted_beside_workers_that_are",
    ),
    mutant(
        "control-plane-all-at-once",
        "Nodes of the control plane that may be repaired are repaired as many as like.",
        "S8 LIMIT",
        ("rules.policy", "return (*own, CONTROL_PLANE) if controls else own", "return own"),
        ("decide.brains", "    if away:\n", "    if away is None:\n"),
        tale=f"{_BRAINS}::test_a_control_plane_that_may_be_repaired_is_repaired_one_node_at_a_time",
    ),
)
