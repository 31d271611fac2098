"""A running remediator takes edited rules in: by itself, or at once when SIGHUP says so."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def kubeconfig(folder: Path) -> Path:
    """Write a way to an API server that is away."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    path = folder / "config"
    path.write_text(json.dumps(config))
    return path


def logged(log: Path, text: str, *, within: float) -> bool:
    """Wait until something is in the log."""
    pause, end = threading.Event(), time.monotonic() + within
    while text not in log.read_text() and time.monotonic() < end:
        pause.wait(0.05)
    return text in log.read_text()


@contextmanager
def remediator(rules: Path, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """Run one, and give its log."""
    log = folder / "log"
    words = ["remediator", "--kubeconfig", str(kubeconfig(folder)), "--rules", str(rules)]
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "nodemend", *words], stderr=out, cwd=ROOT)
        try:
            assert logged(log, "rules (", within=30)
            yield process, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=15)


def test_sighup_has_an_edit_taken_in_or_refused_at_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    rule, policy = rules / "disk" / "scratch-full.yaml", rules / "policy.yaml"
    with remediator(rules, tmp_path) as (process, log):
        rule.write_text(rule.read_text().replace("0.02", "0.021"))
        policy.write_text(policy.read_text().replace("observe", "observed", 1) + "x: y\n")
        process.send_signal(signal.SIGHUP)
        refused = logged(log, "the nearest is 0.02", within=10)
        together = logged(log, f"{policy}:", within=1)

        rule.write_text(rule.read_text().replace("0.021", "0.03"))
        shutil.copy(ROOT / "rules" / "policy.yaml", policy)
        process.send_signal(signal.SIGHUP)
        taken = logged(log, "took in ", within=10)

    assert (refused, together, taken) == (True, True, True)
    assert "Traceback" not in log.read_text()
    assert process.returncode == 0


def test_an_edit_is_taken_in_by_itself(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    with remediator(rules, tmp_path) as (_, log):
        (rules / "disk" / "scratch-full.yaml").unlink()

        assert logged(log, "took in ", within=30)
