"""What /metrics tells is what docs/metrics.md says, and it is what happens."""

import asyncio
import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from nodehealth.repair import Mode, Phase
from remediator.files import Loaded
from remediator.metrics import Metrics
from remediator.rules.alerting import Alerting, Receiver
from remediator.rules.policy import Policy
from simulator import virtualtime
from tests.builders import at, health, level, node, repair, rule, rules
from tests.remediator.leading import Fleet, fleet, leading
from tests.remediator.receivers import Desk, ToDesk
from tests.remediator.test_delivery import outside

ROOT = Path(__file__).parents[2]
DOCUMENTED = re.compile(r"^\| `(nodemend_\w+)` \|", re.MULTILINE)
NAMED = re.compile(r"\bnodemend_\w+")

ALERTS = Alerting(receivers=(Receiver(name="desk", sink="desk", settings={}),))
FILES = Loaded(
    rules=rules(rule()),
    policy=Policy(mode=Mode.OBSERVE, alerts=ALERTS),
    provider=None,
    sinks={"desk": ToDesk(desk=Desk())},
)


async def sick(here: Fleet) -> None:
    """Let a node fall sick, and its repair begin to wait."""
    uid = await here.node(node())
    await here.report(health(level(0.01), node_uid=uid))
    await asyncio.sleep(5)


def names(registry: CollectorRegistry) -> set[str]:
    """Return the names under which whoever asks finds our metrics."""
    found = set()
    for family in registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        found.add(f"{family.name}{suffix}")
    return {each for each in found if each.startswith("nodemend_")}


@virtualtime.played
async def test_what_is_told_is_what_is_documented_and_nothing_else() -> None:
    here, metrics = await fleet(), Metrics(CollectorRegistry())
    async with leading(here, FILES, outside=outside(), metrics=metrics):
        await sick(here)
        told = names(metrics.registry)

    assert told == set(DOCUMENTED.findall((ROOT / "docs" / "metrics.md").read_text()))


@virtualtime.played
async def test_alerts_about_ourselves_ask_only_for_what_is_told() -> None:
    here, metrics = await fleet(), Metrics(CollectorRegistry())
    async with leading(here, FILES, outside=outside(), metrics=metrics):
        await sick(here)
        told = names(metrics.registry)
    (shipped,) = yaml.safe_load_all(
        (ROOT / "deploy" / "monitoring" / "remediator.yaml").read_text()
    )
    asked = [rule["expr"] for group in shipped["spec"]["groups"] for rule in group["rules"]]

    assert {name for expression in asked for name in NAMED.findall(expression)} <= told


@virtualtime.played
async def test_the_fleet_is_told_as_it_stands() -> None:
    here, metrics = await fleet(), Metrics(CollectorRegistry())

    def ask(name: str, labels: dict[str, str] | None = None) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0.0

    async with leading(here, FILES, outside=outside(), metrics=metrics):
        await here.node(node("n2", ready=False))
        await sick(here)
        waiting = {"phase": "Waiting", "pool": "default"}

        assert ask("nodemend_leader") == 1
        assert ask("nodemend_repairs_open", waiting) == 1
        assert ask("nodemend_repairs_held", {"reason": "ObserveOnly", "pool": "default"}) == 1
        assert ask("nodemend_nodes_known", {"scope": "cluster"}) == 2
        assert ask("nodemend_nodes_out", {"scope": "cluster"}) == 1
        assert ask("nodemend_ledger_open") == 1
        assert ask("nodemend_pauses", {"scope": "pool"}) == 0
        assert ask("nodemend_watch_age_seconds", {"kind": "nodes"}) < 60
        assert ask("nodemend_judgement_seconds_count") > 0
        assert ask("nodemend_alerts_total", {"receiver": "desk", "outcome": "sent"}) == 1

    assert ask("nodemend_leader") == 0


def test_a_repair_is_counted_when_it_ends_and_when_it_comes_to_need_a_person() -> None:
    metrics = Metrics(CollectorRegistry())
    for phase in (Phase.CONFIRMED, Phase.NEEDS_HUMAN, Phase.RECOVERED):
        metrics.ended(repair(phase=phase))

    counted = [
        metrics.registry.get_sample_value(
            "nodemend_repairs_ended_total", {"outcome": phase, "reason": "", "pool": "default"}
        )
        for phase in (Phase.CONFIRMED, Phase.NEEDS_HUMAN, Phase.RECOVERED)
    ]
    assert counted == [None, 1, 1]


def test_files_that_can_not_be_used_are_told_beside_when_the_last_could() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.loaded(at(0))
    metrics.not_loaded()

    assert metrics.registry.get_sample_value("nodemend_reload_ok") == 0
    loaded_at = metrics.registry.get_sample_value("nodemend_reload_timestamp_seconds")
    assert loaded_at == at(0).timestamp()


def test_how_much_the_cluster_lacks_is_told() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.lacks(2)

    assert metrics.registry.get_sample_value("nodemend_prerequisites_missing") == 2
