"""The past of a node is kept to look back at, as long as it says something."""

from msgspec import structs

from nodehealth.kube.objects import Metadata
from nodehealth.repair import Mode, NodeRepairStatus, Phase, PhaseTime
from remediator.decide import keeping
from remediator.rules.policy import Policy
from tests.builders import NOON, at, repair

ENFORCE = Policy(mode=Mode.ENFORCE)


def test_only_the_last_ended_repairs_of_a_node_are_kept() -> None:
    ended = [
        structs.replace(
            repair(phase=Phase.RECOVERED, created=at(n)),
            metadata=Metadata(name=f"r{n}", creation_timestamp=at(n)),
        )
        for n in range(keeping.KEPT + 2)
    ]

    assert [each.metadata.name for each in keeping.outdated([*ended, repair()], ENFORCE, NOON)] == [
        "r0",
        "r1",
    ]
    assert keeping.outdated(ended[: keeping.KEPT], ENFORCE, NOON) == []


def test_the_past_of_a_node_that_is_gone_is_kept_for_some_days() -> None:
    times = (PhaseTime(phase=Phase.CORDONED, at=NOON), PhaseTime(phase=Phase.RECOVERED, at=at(60)))
    ended = repair(status=NodeRepairStatus(phase=Phase.RECOVERED, timeline=times))

    assert keeping.kept_until(ended, ENFORCE, at(90)) == at(60) + keeping.KEPT_FOR
    young = keeping.kept_until(repair(phase=Phase.RECOVERED), ENFORCE, at(90))
    assert young == at(90) + keeping.KEPT_FOR
