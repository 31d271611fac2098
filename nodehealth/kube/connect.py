"""From where we run to a client: inside a cluster by its service account, else by a kubeconfig."""

import asyncio
import base64
import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from nodehealth.kube import kubeconfig as kubeconfigs
from nodehealth.kube.client import Client
from nodehealth.kube.credentials import Credentials, Fixed, TokenFile
from nodehealth.kube.errors import SettingsError
from nodehealth.kube.http import HttpTransport
from nodehealth.kube.kubeconfig import Access, User
from nodehealth.kube.metered import Heard, Metered
from nodehealth.kube.official import Login

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@contextlib.asynccontextmanager
async def connect(
    kubeconfig: Path | None = None,
    *,
    manager: str,
    context: str | None = None,
    heard: Heard | None = None,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Client]:
    """Give a client for the API server that the surroundings name.

    That is the kubeconfig, else $KUBECONFIG, else the cluster we run in, else ~/.kube/config.

    Args:
        kubeconfig: The file to use, whatever the environment says.
        manager: Who we are in the managed fields of what we write.
        context: A context of the kubeconfig other than its current one.
        heard: Is told how each request went.
        environ: The environment's variables.

    Raises:
        nodehealth.kube.errors.SettingsError: says what is missing, and where.
    """
    named = kubeconfig or (Path(environ["KUBECONFIG"]) if environ.get("KUBECONFIG") else None)
    if named is None and "KUBERNETES_SERVICE_HOST" in environ:
        transport = await in_cluster(environ)
    else:
        default = Path(environ.get("HOME", "~"), ".kube", "config")
        transport = await by_kubeconfig(named or default, context)
    async with transport:
        yield Client(Metered(transport, heard) if heard else transport, manager=manager)


async def in_cluster(environ: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> HttpTransport:
    """Go to the API server of the cluster we run in, as the pod's service account."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    authority = account / "ca.crt"
    tls = await asyncio.to_thread(_trusting_file, authority)
    address = f"[{host}]" if ":" in host else host
    return HttpTransport(
        f"https://{address}:{port}", credentials=TokenFile(account / "token"), tls=tls
    )


async def by_kubeconfig(path: Path, context: str | None = None) -> HttpTransport:
    """Go to the API server that a kubeconfig's context names."""
    access = await asyncio.to_thread(kubeconfigs.load, path, context)
    cluster, user = access.cluster, access.user
    if cluster.proxy_url and not cluster.proxy_url.startswith("http://"):
        scheme = cluster.proxy_url.split("://", 1)[0]  # the rest may hold a password
        raise SettingsError(f"{path}: proxy-url: expected http://…, got {scheme}://…")
    certificate = None
    credentials = _credentials(access)
    if user.needs_a_program:
        credentials = login = Login(str(path), context)
        grant = await login.grant()
        certificate = (grant.certificate, grant.key) if grant.certificate else None
    secure = cluster.server.startswith("https://")
    return HttpTransport(
        cluster.server,
        credentials=credentials,
        tls=await asyncio.to_thread(_tls, access, certificate) if secure else None,
        server_name=cluster.tls_server_name or None,
        proxy=cluster.proxy_url or None,
    )


def _credentials(access: Access) -> Credentials:
    user = access.user
    if user.token_file:
        return TokenFile(access.file(user.token_file))
    if user.token:
        return Fixed({"authorization": f"Bearer {user.token.strip()}"})
    return Fixed(_basic(user) if user.username else {})


def _basic(user: User) -> Mapping[str, str]:
    secret = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    return {"authorization": f"Basic {secret}"}


def _trusting_file(authority: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # an SSLError is one
        raise SettingsError(f"{authority}: expected certificates in PEM, {error}") from error


def _tls(access: Access, certificate: tuple[str, str] | None) -> ssl.SSLContext:
    cluster, user = access.cluster, access.user
    what = "certificate-authority"
    data = access.content(cluster.certificate_authority_data, cluster.certificate_authority, what)
    try:
        tls = ssl.create_default_context(cadata=data.decode() if data else None)
        if cluster.insecure_skip_tls_verify:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        what = "client-certificate and client-key"
        if certificate is not None:
            tls.load_cert_chain(*certificate)
        elif user.client_certificate_data or user.client_certificate:
            _load_certificate(tls, access)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise SettingsError(f"{what}: expected PEM, {error}") from error
    return tls


def _load_certificate(tls: ssl.SSLContext, access: Access) -> None:
    """Load the user's certificate; OpenSSL reads only files, so there is one for a moment."""
    user = access.user
    certificate = access.content(
        user.client_certificate_data, user.client_certificate, "client-certificate"
    )
    key = access.content(user.client_key_data, user.client_key, "client-key")
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        tls.load_cert_chain(file.name)
