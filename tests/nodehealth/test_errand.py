"""The command of an errand is one that the programs on the node understand."""

import pytest
from typer.testing import CliRunner

from nodehealth import errand
from nodehealth.errand import Program
from nodemend.cli import app


@pytest.mark.parametrize(
    "words",
    [
        errand.command(Program.REBOOT, "b1"),
        errand.command(Program.RESTART_SERVICE, "b1", service="kubelet"),
        errand.command(Program.RESET_GPU, "b1", gpus=("GPU-1", "GPU-2")),
    ],
    ids=lambda words: words[2],
)
def test_the_command_line_knows_every_errand(words: tuple[str, ...]) -> None:
    program, *rest = words

    said = CliRunner().invoke(app(rest, {}), [*rest, "--help"])

    assert program == "nodemend"
    assert said.exit_code == 0, said.output


def test_what_is_said_to_a_program_has_its_place() -> None:
    assert errand.command(Program.RESET_GPU, "b1", gpus=("GPU-1",)) == (
        "nodemend",
        "node",
        "reset-gpu",
        "--boot-id",
        "b1",
        "--gpu",
        "GPU-1",
    )
