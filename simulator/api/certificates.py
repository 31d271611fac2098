"""A certificate that signs itself, for HTTPS on the loopback address."""

import subprocess
from pathlib import Path
from typing import Final

_DEADLINE: Final = 30.0


def make(folder: Path) -> tuple[Path, Path]:
    """Make a certificate and its key in a folder with the openssl program.

    Raises:
        FileNotFoundError: there is no openssl program.
        subprocess.CalledProcessError: it failed.
    """
    certificate, key = folder / "server.crt", folder / "server.key"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "30", "-subj", "/CN=nodemend-emulator"),
        *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(  # noqa: S603 - a fixed program with our own arguments
        command, check=True, capture_output=True, timeout=_DEADLINE
    )
    return certificate, key
