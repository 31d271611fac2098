"""What the agent really loads when it starts on a node, lazily imported modules left out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from simulator.api import certificates
from tests.architecture.repository import ROOT, modules
from tests.lacking import lacking

HEAVY: Final = (
    *("aiohttp.web", "importlib.metadata", "kubernetes", "prometheus_client", "rich"),
    *("sqlalchemy", "tenacity", "typer"),
    *("remediator", "simulator", "nodemend"),
)
SAY: Final = """
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
print(" ".join(name for name in sys.argv[2].split() if name in sys.modules))
"""


def test_an_agent_starts_without_what_only_others_need() -> None:
    agent = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules()
        if path.is_relative_to(ROOT / "agent")
    ]

    loaded = _said([sys.executable, "-c", SAY, " ".join(agent), " ".join(HEAVY)], {**os.environ})

    assert loaded.split() == []


TRUST: Final = """
import gc, json, os, ssl
from agent import __main__ as process
try:
    process.run(os.environ)
except SystemExit:
    made = [each for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]
    late = ssl.create_default_context()
    trusted = [len(each.get_ca_certs()) for each in (*made, late)]
    print(json.dumps({"trusted": trusted, "environ": dict(os.environ)}))
"""


def test_an_agent_starts_without_the_certificates_of_its_system_and_can_read_them_later(
    tmp_path: Path,
) -> None:
    if shutil.which("openssl") is None:
        lacking("openssl makes the certificate")
    certificate, _ = certificates.make(tmp_path)
    environ = {
        **os.environ,
        "SSL_CERT_FILE": f"{certificate}",
        "KUBECONFIG": f"{tmp_path / 'nowhere'}",
        "STATE_FILE": f"{tmp_path / 'state'}",
    }

    said = json.loads(_said([sys.executable, "-c", TRUST], environ))

    assert said["trusted"] == [0, 0, 1]
    assert said["environ"] == environ


ALONE: Final = """
import sys
from agent.host.nvml import worker
worker._pynvml()
print(" ".join(name for name in sys.argv[1].split() if name in sys.modules))
"""
DEAR: Final = ("argparse", "ctypes.util", "pathlib", "site", "subprocess", "traceback")


def test_an_nvml_worker_starts_without_what_it_does_not_call() -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((f"{ROOT}", *sys.path))}

    said = _said([sys.executable, "-S", "-c", ALONE, " ".join(("pynvml", *DEAR))], environ)

    assert said.split() == ["pynvml"]


def _said(words: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
