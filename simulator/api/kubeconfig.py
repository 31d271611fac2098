"""A kubeconfig file that leads kubectl and every other client to the emulator."""

import json
from pathlib import Path

from simulator.api.server import ADMIN_TOKEN


def write_kubeconfig(
    path: Path, url: str, token: str = ADMIN_TOKEN, authority: Path | None = None
) -> None:
    """Write a kubeconfig with one cluster, one user and one context, all called nodemend."""
    cluster = {"server": url}
    if authority is not None:
        cluster["certificate-authority"] = str(authority)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "nodemend", "cluster": cluster}],
        "users": [{"name": "nodemend", "user": {"token": token}}],
        "contexts": [{"name": "nodemend", "context": {"cluster": "nodemend", "user": "nodemend"}}],
        "current-context": "nodemend",
    }
    path.write_text(json.dumps(config, indent=2) + "\n")
    path.chmod(0o600)
