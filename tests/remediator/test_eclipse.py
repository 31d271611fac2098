"""What only observes a node never keeps a rule that may act from mending it."""

import asyncio
from dataclasses import replace

from nodehealth.repair import NODE_REPAIRS, Mode, Phase
from remediator.files import Loaded
from remediator.rules.policy import Limit, Policy
from simulator import virtualtime
from tests.builders import health, level, node, question, rule, rules
from tests.remediator.leading import fleet, leading

ALL = Limit(cordoned=("100%",), disrupted=("100%",))
FILES = Loaded(
    rules=rules(
        rule(question("value < 0.5"), name="filling", mode=Mode.OBSERVE),
        rule(question("value < 0.02"), name="full"),
    ),
    policy=Policy(mode=Mode.ENFORCE, limit=ALL),
    provider=None,
)


@virtualtime.played
async def test_a_repair_that_observes_ends_when_a_rule_that_may_act_holds_too() -> None:
    here = await fleet()
    async with leading(here, FILES):
        uid = await here.node(node())
        await here.report(health(level(0.3), node_uid=uid))
        await asyncio.sleep(5)
        [watching] = await here.repairs()
        await here.report(health(level(0.01), node_uid=uid))
        await asyncio.sleep(5)

        assert watching.spec.rule == "filling"
        by_rule = {each.spec.rule: each.status for each in await here.repairs()}
        assert by_rule["filling"].phase is Phase.RECOVERED
        assert by_rule["filling"].reason == "Eclipsed"
        assert by_rule["full"].phase is not Phase.RECOVERED


@virtualtime.played
async def test_a_fault_that_only_lingers_eclipses_nothing_again_and_again() -> None:
    """No repair is begun for it, so whatever observes would end and begin without end."""
    slow = rule(question("value < 0.02"), name="full", quiet=600)
    here = await fleet()
    async with leading(here, replace(FILES, rules=rules(FILES.rules.by_name["filling"], slow))):
        uid = await here.node(node())
        await here.report(health(level(0.01), node_uid=uid))
        await asyncio.sleep(1)
        await here.report(health(level(0.3), node_uid=uid))
        await asyncio.sleep(1)
        for each in await here.repairs():
            await here.client.delete(NODE_REPAIRS, each.metadata.name)
        await asyncio.sleep(60)

        [watching] = await here.repairs()
        assert (watching.spec.rule, watching.status.reason) == ("filling", "ObserveOnly")
