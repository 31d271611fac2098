"""The standard output gets a line an alert, for people or for programs."""

import msgspec

from remediator.decide import alerts
from remediator.files import sink
from remediator.rules.alerting import Alerting
from tests.builders import NOON, repair
from tests.remediator.sinks.conftest import Mailbox

ALERTS = [alerts.of_repair(repair(name), Alerting(), "", NOON) for name in ("n1", "n2")]


async def test_people_read_a_line_an_alert() -> None:
    box = Mailbox(now=NOON)

    await sink("stdout", {}).send(ALERTS, box.outside())

    assert "".join(box.written).splitlines() == [
        "ALERT firing info NodeRepair: disk-full on n1: nodemend deals with it",
        "ALERT firing info NodeRepair: disk-full on n2: nodemend deals with it",
    ]


async def test_programs_read_a_json_object_a_line() -> None:
    box = Mailbox(now=NOON)

    await sink("stdout", {"format": "json"}).send(ALERTS, box.outside())

    lines = [msgspec.json.decode(line) for line in box.written[0].splitlines()]
    assert [line["labels"]["node"] for line in lines] == ["n1", "n2"]
