"""Who asks at once is answered by one swap, each as if alone; nobody's trouble is shared."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from nodehealth.fence import Fence, Hold
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.transport import Request
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Severity
from remediator.actions import SupersededError
from remediator.decide import marks
from remediator.decide.counting import Scope
from remediator.decide.limits import Refused, Why
from remediator.rules.policy import CLUSTER, Limit, Policy
from simulator.api.audit import AuditEntry
from simulator.api.faults import Match, Refuse, Slow
from simulator.api.store import Change
from tests.builders import at, node, repair
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]
NAMES = tuple(f"n{number:02}" for number in range(12))
SCOPES = (Scope(name=CLUSTER, members=frozenset(NAMES), out=frozenset()),)


def most(count: int) -> Policy:
    return Policy(limit=Limit(cordoned=(count,), disrupted=(count,)))


async def begun(world: World, *names: str) -> list[tuple[Node, NodeRepair]]:
    await world.admission().ensure()
    return [(await world.node(node(each)), await world.repair(repair(each))) for each in names]


def swaps_of(world: World) -> list[Change]:
    seen = list[Change]()

    def saw(change: Change) -> None:
        if change.resource.startswith(REPAIR_LEDGERS.plural):
            seen.append(change)

    world.api.on_commit(saw)
    return seen


async def test_all_who_ask_while_a_swap_is_under_way_are_admitted_by_the_next_one(
    world: MakeWorld,
) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES), here.admission()
    swaps = swaps_of(here)

    epochs = await asyncio.gather(
        *(admission.cordon(mended, one, SCOPES, most(12)) for one, mended in pairs)
    )

    assert sorted(each for each in epochs if isinstance(each, int)) == list(range(1, 13))
    assert len(swaps) <= 3
    fences = {str(marks.fence_of(each)) for each in (await here.client.listing(NODES)).items}
    assert fences == {f"{epoch}:cordoned" for epoch in range(1, 13)}


async def test_those_admitted_together_never_exceed_a_limit_together(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES), here.admission()

    answers = await asyncio.gather(
        *(admission.cordon(mended, one, SCOPES, most(5)) for one, mended in pairs)
    )

    assert sum(isinstance(each, Refused) for each in answers) == 7
    assert len((await admission.ledger()).status.cordons) == 5


async def test_replicas_that_swap_against_each_other_admit_no_more_either(
    world: MakeWorld,
) -> None:
    here = await world()
    pairs, crew = await begun(here, *NAMES), (here.admission(), here.admission())

    answers = await asyncio.gather(
        *(
            crew[n % 2].disrupt(mended, one, SCOPES, most(5))
            for n, (one, mended) in enumerate(pairs)
        )
    )

    assert sum(isinstance(each, Refused) for each in answers) == 7
    assert len((await crew[0].ledger()).status.slots) == 5


async def test_one_who_may_not_go_on_hurts_nobody_else(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:4]), here.admission()
    carried_on = {"status": {"phase": "Recovered"}}
    await here.client.merge_patch(
        NODE_REPAIRS, pairs[1][1].metadata.name, carried_on, subresource="status"
    )
    await here.client.delete(NODE_REPAIRS, pairs[2][1].metadata.name)

    answers = await asyncio.gather(
        *(admission.cordon(mended, one, SCOPES, most(4)) for one, mended in pairs),
        return_exceptions=True,
    )

    assert [type(each) for each in answers] == [int, SupersededError, SupersededError, int]


async def test_one_who_is_cancelled_takes_nobody_with_it_and_finds_its_admission_again(
    world: MakeWorld,
) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:3]), here.admission()
    swapped = asyncio.Event()
    here.api.on_commit(
        lambda change: swapped.set() if change.resource.startswith("repairledgers") else None
    )
    tasks = [
        asyncio.create_task(admission.cordon(mended, one, SCOPES, most(3))) for one, mended in pairs
    ]
    await swapped.wait()
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.wait(tasks)
    again = [await admission.cordon(mended, one, SCOPES, most(3)) for one, mended in pairs[:2]]

    assert again[0] == 1
    assert sorted([*again, tasks[2].result()], key=str) == [1, 2, 3]
    assert len((await admission.ledger()).status.cordons) == 3


async def test_what_is_given_back_can_be_taken_in_the_same_swap(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:3]), here.admission()
    await admission.disrupt(pairs[0][1], pairs[0][0], SCOPES, most(1))
    held = await here.client.get(NODES, NAMES[0])
    await here.client.json_patch(NODES, NAMES[0], marks.release(held, 1))
    back = await here.client.get(NODES, NAMES[0])

    await asyncio.gather(
        admission.cordon(pairs[2][1], pairs[2][0], SCOPES, most(3)),
        admission.disrupt(pairs[1][1], pairs[1][0], SCOPES, most(1)),
        admission.release(NAMES[0], back, frozenset({1})),
    )

    assert (await admission.ledger()).status.slots.keys() == {NAMES[1]}


async def test_the_worst_fault_is_answered_first(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    wanted = [
        repair(NAMES[0], created=at(0)),
        repair(NAMES[1], severity=Severity.WARNING),
        repair(NAMES[2], severity=Severity.CRITICAL),
    ]
    pairs = [(await here.node(node(each.spec.target.node)), each) for each in wanted]
    made = [(one, await here.repair(each)) for one, each in pairs]
    admission = here.admission()

    answers = await asyncio.gather(
        *(admission.cordon(mended, one, SCOPES, most(2)) for one, mended in made)
    )

    assert [isinstance(each, Refused) for each in answers] == [False, True, False]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOfNodes(Match):
    """Lists of all Nodes."""

    def takes(self, request: Request) -> bool:
        return request.method == "GET" and request.path.endswith("/nodes")


def listings_of(world: World) -> list[AuditEntry]:
    seen = list[AuditEntry]()

    def saw(entry: AuditEntry) -> None:
        if (entry.verb, entry.resource) == ("list", "nodes"):
            seen.append(entry)

    world.api.on_request(saw)
    return seen


async def test_one_survey_serves_all_who_are_disrupted_together(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES), here.admission()
    await admission.disrupt(pairs[0][1], pairs[0][0], SCOPES, most(12))
    listings = listings_of(here)

    await asyncio.gather(
        *(admission.disrupt(mended, one, SCOPES, most(12)) for one, mended in pairs[1:])
    )

    assert len((await admission.ledger()).status.slots) == 12
    assert len(listings) < 6


async def test_no_cordon_waits_until_somebody_else_has_looked_around(world: MakeWorld) -> None:
    here = await world()
    (first, sick), (second, worse) = await begun(here, *NAMES[:2])
    admission, done = here.admission(), list[str]()

    async def disrupt() -> None:
        await admission.disrupt(sick, first, SCOPES, most(2))
        done.append("disrupted")

    async def cordon() -> None:
        await asyncio.sleep(0.05)
        await admission.cordon(worse, second, SCOPES, most(2))
        done.append("cordoned")

    with here.api.faults.active(Slow(match=ListOfNodes(), delay=timedelta(seconds=0.5))):
        await asyncio.gather(disrupt(), cordon())

    assert done == ["cordoned", "disrupted"]


async def test_nobody_looks_around_for_a_cordon_or_where_no_slot_is_left(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:2]), here.admission()
    await admission.disrupt(pairs[0][1], pairs[0][0], SCOPES, most(1))
    listings = listings_of(here)

    refused = await admission.disrupt(pairs[1][1], pairs[1][0], SCOPES, most(1))
    await admission.cordon(pairs[1][1], pairs[1][0], SCOPES, most(2))

    assert isinstance(refused, Refused)
    assert listings == []


async def test_maintenance_that_the_cache_has_not_heard_of_is_found(world: MakeWorld) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:2]), here.admission()
    await here.node(node("n99", taints=("karpenter.sh/disrupted",)))

    refused = await admission.disrupt(pairs[0][1], pairs[0][0], SCOPES, most(1))
    beside = await admission.disrupt(pairs[0][1], pairs[0][0], SCOPES, most(2))

    assert isinstance(refused, Refused)
    assert refused.why is Why.FOREIGN_MAINTENANCE
    assert "n99 (Karpenter)" in refused.message
    assert beside == 1


async def test_who_cannot_look_around_disrupts_nobody_and_holds_up_no_cordon(
    world: MakeWorld,
) -> None:
    here = await world()
    pairs, admission = await begun(here, *NAMES[:3]), here.admission()
    await admission.ensure()
    lists = Match(method="GET", path="/api/v1/nodes")

    with here.api.faults.active(Refuse(code=403, reason="Forbidden", match=lists)):
        *_, cordoned, disrupted = await asyncio.gather(
            admission.cordon(pairs[0][1], pairs[0][0], SCOPES, most(3)),
            admission.cordon(pairs[1][1], pairs[1][0], SCOPES, most(3)),
            admission.disrupt(pairs[2][1], pairs[2][0], SCOPES, most(3)),
            return_exceptions=True,
        )

    assert cordoned == 2
    assert isinstance(disrupted, errors.ForbiddenError)
    assert (await admission.ledger()).status.slots == {}


async def test_a_node_that_changed_is_read_again_before_the_ledger(world: MakeWorld) -> None:
    here = await world()
    [(one, mended)], admission = await begun(here, NAMES[0]), here.admission()
    await admission.cordon(mended, one, SCOPES, most(1))
    await here.client.merge_patch(NODES, NAMES[0], {"spec": {"unschedulable": False}})

    await admission.hold(mended, one, Fence(epoch=1, hold=Hold.CORDONED))

    assert (await here.client.get(NODES, NAMES[0])).spec.unschedulable
