"""`nodemend node reboot` and `restart-service` as real processes on a stand-in machine."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth import quantities
from nodehealth.outcome import Result
from nodemend.commands import node
from nodemend.mending import machine
from remediator.actions import reboot
from tests.nodemend.mending.desk import SYSTEMCTL, Desk

BOOT = "0f0e0d0c-1111-2222-3333-444455556666"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Stand a machine up that has a procfs of its own: nothing here reaches the real one's."""
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text(f"{BOOT}\n")
    (tmp_path / "proc/sysrq-trigger").touch()
    desk = Desk(tmp_path, {})
    desk.program("systemctl", SYSTEMCTL)
    (tmp_path / "answers/show").write_text("LoadState=loaded\nActiveState=active\nSubState=run\n")
    return desk


def test_a_reboot_is_ordered_and_the_program_is_taken_along(desk: Desk) -> None:
    with desk.start("reboot", "--boot-id", BOOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "systemd reboots the machine\n":
                break
        before = desk.words
        process.send_signal(signal.SIGTERM)

    assert (process.returncode, desk.asked) == (0, ["reboot"])
    assert (before.result, before.message) == (Result.DONE, "a reboot is ordered")
    assert (desk.words.result, desk.words.boot_id) == (Result.DONE, BOOT)


def test_a_reboot_that_was_ordered_for_another_boot_is_refused(desk: Desk) -> None:
    code, said = desk.run("reboot", "--boot-id", "another")

    assert (code, desk.asked, desk.words.result) == (3, [], Result.REFUSED)
    assert f"the machine is in boot {BOOT}" in said


def test_a_machine_that_does_not_go_down_has_failed(desk: Desk) -> None:
    code, _ = desk.run("reboot", "--wait", "10ms")

    assert (code, desk.words.result) == (1, Result.FAILED)
    assert "the machine is still up" in desk.words.message
    assert (desk.root / "proc/sysrq-trigger").read_text() == ""


def test_a_machine_is_forced_by_its_kernel_when_told_so(desk: Desk) -> None:
    (desk.root / "answers/reboot.fails").touch()
    (desk.root / "answers/reboot").write_text("Failed to connect to bus")

    code, said = desk.run("reboot", "--force")

    assert (desk.root / "proc/sysrq-trigger").read_text() == "b"
    assert "tells the kernel to start anew" in said
    assert code == 1  # the kernel of a stand-in machine does nothing


@pytest.mark.parametrize("wait", ["1m", "2m"])
def test_who_would_wait_until_the_deadline_would_never_force(desk: Desk, wait: str) -> None:
    code, said = desk.run("reboot", "--force", "--deadline", "1m", "--wait", wait)

    assert (code, desk.asked) == (2, [])
    assert f"--wait: expected less than the 1m of --deadline, got {wait}" in said


def test_a_repair_pod_outlives_what_its_reboot_may_take() -> None:
    program = machine.SYNCING + machine.ORDERING + quantities.duration(node.REBOOT_WAIT)

    assert program + timedelta(minutes=1) < reboot.LASTS


def test_a_rehearsed_reboot_asks_nobody(desk: Desk) -> None:
    code, said = desk.run("reboot", "--dry-run")

    assert (code, desk.asked, desk.message.exists()) == (0, [], False)
    assert "would reboot" in said


@pytest.mark.timeout(60)
def test_a_service_is_restarted_and_watched(desk: Desk) -> None:
    code, said = desk.run("restart-service", "--service", "kubelet")

    assert (code, desk.words.result) == (0, Result.DONE)
    assert "restart kubelet.service" in desk.asked
    assert "Done: kubelet.service was restarted and stays up" in said


def test_a_service_that_is_not_on_the_list_is_refused(desk: Desk) -> None:
    code, _ = desk.run("restart-service", "--service", "sshd")

    assert (code, desk.asked, desk.words.result) == (3, [], Result.REFUSED)


def test_a_root_that_is_no_host_is_said_so_in_one_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {})

    code, said = desk.run("reboot")

    assert (code, "expected the root directory of a host" in said) == (2, True)


def test_last_words_overwrite_nothing_that_is_not_ours(desk: Desk) -> None:
    desk.message.write_text("root:x:0:0")

    code, said = desk.run("reboot")

    assert (code, desk.message.read_text(), desk.asked) == (2, "root:x:0:0", [])
    assert "expected an empty file, or one with earlier last words" in said


@pytest.mark.parametrize("option", ["--nvidia-smi", "--systemctl"])
def test_who_chooses_the_words_does_not_choose_the_program(desk: Desk, option: str) -> None:
    code, said = desk.run("reboot", option, "sh")

    assert (code, desk.asked) == (2, [])
    assert "No such option" in said
