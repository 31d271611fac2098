"""What only observes a node never keeps a rule that may act from mending it."""

import asyncio

from nodehealth.repair import Mode, Phase
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
