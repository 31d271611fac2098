"""The way to the API server is found where it should be, and complained of precisely."""

import base64
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nodehealth.kube import connect, errors, kubeconfig
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from tests.nodehealth.kube.fakes import Served, node, saying, serving

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the keys")
A_NODE = saying(200, node("a"))


def written(
    path: Path,
    server: str = "http://127.0.0.1:1",
    user: Mapping[str, object] | None = None,
    cluster: Mapping[str, object] | None = None,
) -> Path:
    """Write a kubeconfig; JSON is YAML."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "n"}},
            {"name": "nobody", "context": {"cluster": "c"}},
            {"name": "broken", "context": {"cluster": "c", "user": "stranger"}},
        ],
    }
    path.write_text(json.dumps(config))
    return path


async def told(served: Served, path: Path, context: str | None = None) -> str | None:
    """Connect, read something, and return what we said we are."""
    async with connect.connect(path, manager="tester", context=context, environ={}) as client:
        await client.get(NODES, "a")
    return served.requests[-1].headers.get("authorization")


async def test_a_token_in_the_kubeconfig_is_sent(tmp_path: Path) -> None:
    async with serving(A_NODE) as served:
        path = written(tmp_path / "config", served.url, {"token": "secret"})

        assert await told(served, path) == "Bearer secret"


async def test_a_token_file_lies_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with serving(A_NODE) as served:
        path = written(tmp_path / "config", served.url, {"tokenFile": "token"})

        assert await told(served, path) == "Bearer secret"


async def test_a_name_and_password_are_sent_as_basic(tmp_path: Path) -> None:
    async with serving(A_NODE) as served:
        path = written(tmp_path / "config", served.url, {"username": "me", "password": "pass"})

        assert await told(served, path) == "Basic bWU6cGFzcw=="


async def test_another_context_may_be_chosen(tmp_path: Path) -> None:
    async with serving(A_NODE) as served:
        path = written(tmp_path / "config", served.url, {"token": "secret"})

        assert await told(served, path, context="nobody") is None


def plugin(*, program: str) -> Mapping[str, object]:
    """Describe a login that a program does."""
    version = "client.authentication.k8s.io/v1"
    return {"apiVersion": version, "command": sys.executable, "args": ["-c", program]}


COUNTING = """
import json, pathlib, sys
runs = pathlib.Path({path!r})
runs.write_text(runs.read_text() + "x")
status = {{"token": "plugin-" + str(len(runs.read_text()))}}
version = "client.authentication.k8s.io/v1"
print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": status}}))
"""


async def test_an_exec_plugin_is_run_once_and_again_when_its_token_is_refused(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    runs.write_text("")
    user = {"exec": plugin(program=COUNTING.format(path=str(runs)))}
    async with serving(A_NODE, A_NODE, saying(401, {}), A_NODE) as served:
        path = written(tmp_path / "config", served.url, user)
        async with connect.connect(path, manager="tester", environ={}) as client:
            for _ in range(3):
                await client.get(NODES, "a")

    tokens = [each.headers["authorization"] for each in served.requests]
    assert tokens == [*["Bearer plugin-1"] * 3, "Bearer plugin-2"]


async def test_a_plugin_that_gives_nothing_is_a_complaint(tmp_path: Path) -> None:
    path = written(tmp_path / "config", user={"exec": plugin(program="raise SystemExit(1)")})

    with pytest.raises(errors.SettingsError, match="neither a token nor a certificate"):
        await connect.by_kubeconfig(path)


async def test_the_environment_names_a_kubeconfig(tmp_path: Path) -> None:
    async with serving(A_NODE) as served:
        path = written(tmp_path / "config", served.url, {"token": "env"})
        environ = {"KUBECONFIG": str(path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        async with connect.connect(manager="tester", environ=environ) as client:
            await client.get(NODES, "a")

        assert served.requests[0].headers["authorization"] == "Bearer env"


async def test_outside_a_cluster_the_kubeconfig_is_at_home(tmp_path: Path) -> None:
    with pytest.raises(
        errors.SettingsError, match=r"\.kube/config: expected a kubeconfig, No such"
    ):
        async with connect.connect(manager="tester", environ={"HOME": str(tmp_path)}):
            pass


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    folder = tmp_path_factory.mktemp("keys")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=emulator -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out ca.crt"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def server_side(keys: Path, *, asks_for_ours: bool = False) -> ssl.SSLContext:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(keys / "ca.crt", keys / "tls.key")
    if asks_for_ours:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(keys / "ca.crt")
    return tls


@needs_openssl
async def test_inside_a_cluster_the_service_account_says_who_we_are(keys: Path) -> None:
    (keys / "token").write_text("pod\n")
    async with serving(A_NODE, tls=server_side(keys)) as served:
        environ = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": served.url.rpartition(":")[2],
        }
        async with await connect.in_cluster(environ, keys) as transport:
            await Client(transport, manager="tester").get(NODES, "a")

    assert served.requests[0].headers["authorization"] == "Bearer pod"


@needs_openssl
async def test_a_client_certificate_inline_or_in_files_opens_the_door(
    keys: Path, tmp_path: Path
) -> None:
    certificate, key = (base64.b64encode((keys / name).read_bytes()).decode() for name in FILES)
    users = (
        {"client-certificate-data": certificate, "client-key-data": key},
        {"client-certificate": str(keys / "ca.crt"), "client-key": str(keys / "tls.key")},
    )
    async with serving(A_NODE, tls=server_side(keys, asks_for_ours=True)) as served:
        for user in users:
            authority = {"certificate-authority-data": certificate}
            path = written(tmp_path / "config", served.url, user, authority)

            await told(served, path)

    assert len(served.requests) == 2


FILES = ("ca.crt", "tls.key")


@needs_openssl
async def test_a_server_that_nobody_vouches_for_is_unreachable(keys: Path, tmp_path: Path) -> None:
    async with serving(A_NODE, tls=server_side(keys)) as served:
        with pytest.raises(errors.UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            await told(served, written(tmp_path / "config", served.url))

        trusting = written(
            tmp_path / "config", served.url, cluster={"insecure-skip-tls-verify": True}
        )
        await told(served, trusting)

    assert len(served.requests) == 1


@needs_openssl
async def test_the_certificate_may_carry_another_name(keys: Path, tmp_path: Path) -> None:
    async with serving(A_NODE, tls=server_side(keys)) as served:
        port = served.url.rpartition(":")[2]
        path = written(
            tmp_path / "config",
            f"https://localhost:{port}",
            cluster={
                "certificate-authority": str(keys / "ca.crt"),
                "tls-server-name": "127.0.0.1",
            },
        )

        await told(served, path)

    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "config: expected a kubeconfig in YAML, .* line 2"),
        ("[]", "config: Expected `object`, got `array`"),
        ("clusters: [{name: c, cluster: {}}]", r"required field `server` - at `\$.clusters\[0\]"),
        ("{}", "config: contexts: no entry named ''; known are none"),
    ],
)
def test_a_kubeconfig_that_is_wrong_is_complained_of(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(errors.SettingsError, match=complaint):
        kubeconfig.load(path)


@pytest.mark.parametrize(
    ("context", "complaint"),
    [
        ("elsewhere", "no entry named 'elsewhere'; known are broken, here, nobody"),
        ("broken", "users: no entry named 'stranger'; known are u"),
    ],
)
def test_a_context_that_leads_nowhere_is_complained_of(
    tmp_path: Path, context: str, complaint: str
) -> None:
    with pytest.raises(errors.SettingsError, match=complaint):
        kubeconfig.load(written(tmp_path / "config"), context)


@pytest.mark.parametrize(
    ("cluster", "complaint"),
    [
        ({"certificate-authority": "no.crt"}, "no.crt: expected a file, No such file"),
        ({"certificate-authority-data": "%"}, "certificate-authority-data: expected base64"),
        ({"certificate-authority-data": "AAAA"}, "certificate-authority: expected PEM"),
        ({"proxy-url": "socks5://x"}, "proxy-url: expected http://…, got socks5://…"),
    ],
)
async def test_a_cluster_that_cannot_be_known_is_complained_of(
    tmp_path: Path, cluster: dict[str, object], complaint: str
) -> None:
    path = written(tmp_path / "config", "https://127.0.0.1:1", cluster=cluster)

    with pytest.raises(errors.SettingsError, match=complaint):
        await connect.by_kubeconfig(path)


async def test_without_its_authority_no_pod_trusts_the_server(tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match=r"ca\.crt: expected certificates in PEM"):
        await connect.in_cluster({"KUBERNETES_SERVICE_HOST": "::1"}, tmp_path)


def test_the_official_client_is_not_imported_until_a_login_needs_it() -> None:
    modules = "nodehealth.kube.connect nodehealth.kube.reflector nodehealth.kube.lease"
    program = f"import sys, {modules.replace(' ', ', ')}; sys.exit('kubernetes' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
