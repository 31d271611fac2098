"""Each decision about a node is in its Events, whoever crashed, and none of them twice."""

from collections import Counter
from dataclasses import replace
from typing import Final

import msgspec

from nodehealth.kube.events import EVENTS
from nodehealth.repair import NODE_REPAIRS, Phase
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.api.faults import Html, Match
from tests.safety import sent, stage
from tests.safety.test_stories import full, minutes, staged

LADDER: Final = ("drain: {deadline: 3m}", "reset-gpu", "reboot: {patience: 5m}")
SPEECHLESS: Final = Html(code=503, match=Match(path="/events"))


class Heard:
    """What was written into Events, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, entry: AuditEntry) -> None:
        """Take in a request."""
        if entry.resource == "events" and entry.verb in {"create", "patch"} and entry.code < 300:
            body = msgspec.json.decode(entry.body)
            self.said.append(f"{body['lastTimestamp']} {body['message'].partition(': ')[2]}")


@virtualtime.played
async def test_every_line_of_a_repairs_log_is_an_event_once() -> None:
    heard, rules = Heard(), sent.beside(stage.RULES, *LADDER)
    manners = replace(stage.policy(), gpu_clients=sent.PLUGINS)
    async with staged(gpus=2) as scene:
        scene.cluster.inject("w-1", "gpu-stuck")
        scene.cluster.inject("w-1", {"errand-trouble": {"program": "reset-gpu", "does": "fail"}})
        scene.cluster.api.on_request(heard)
        async with scene.remediator(rules=rules, under=manners):
            await minutes(1)
            scene.cluster.inject("w-1", full())
            name = (await scene.repair("w-1")).metadata.name
            wish = {"what": "retry", "by": "ann", "at": "2026-01-31T12:00:00Z"}
            await scene.client.merge_patch(NODE_REPAIRS, name, {"spec": {"request": wish}})
            await minutes(30)

        repair = await scene.repair("w-1")
        told = [each.partition(" ")[2] for each in heard.said]
        lines = [each.text for each in repair.status.log]
        assert any("reset-gpu failed" in each for each in lines)
        assert any("scratch-full holds too" in each for each in lines)
        assert any("retry, wanted by ann, is refused" in each for each in lines)
        assert [each for each in lines if not each.endswith(tuple(told))] == []
        assert max(Counter(heard.said).values()) == 1


@virtualtime.played
async def test_what_whoever_led_before_could_not_tell_is_told_by_the_next_one() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        with scene.cluster.api.faults.active(SPEECHLESS):
            async with scene.remediator():
                await minutes(4)
        ended = await scene.repair("w-1")
        async with scene.remediator():
            await minutes(1)
        async with scene.remediator():
            await minutes(1)

        told = (await scene.client.listing(EVENTS, namespace="default")).items
        assert ended.status.phase is Phase.RECOVERED
        assert {each.reason: each.count for each in told if "scratch-full" in each.message} == {
            "RepairNoted": 1,  # of the successor
            **{f"Repair{each.phase}": 1 for each in ended.status.timeline},
        }
