"""The machine with stand-in GPUs: its agent asks for GPUs and nothing else."""

from pathlib import Path

import yaml

from agent import settings
from nodehealth.outcome import Result
from nodemend.demo import gpubox


def test_its_agent_asks_for_gpus_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(gpubox.configuration())

    probes = settings.load({}, file=file).probes

    assert "xids" in probes
    assert all(name == "xids" or name.startswith("gpu") for name in probes)
    assert set(probes) < set(settings.load({}).probes)
    assert yaml.safe_load(file.read_text())["nvml"]["interval"] == "1s"


def test_a_program_that_leaves_no_last_words_has_failed(tmp_path: Path) -> None:
    said = tmp_path / "last-words"
    said.write_bytes(b"")

    outcome = gpubox.heard(said)

    assert outcome.result is Result.FAILED
    assert outcome.message.startswith("it left no last words")


def test_what_a_program_says_at_last_is_how_it_ended(tmp_path: Path) -> None:
    said = tmp_path / "last-words"
    said.write_text('{"result": "Refused", "message": "pid 7 holds it"}')

    outcome = gpubox.heard(said)

    assert (outcome.result, outcome.message) == (Result.REFUSED, "pid 7 holds it")
