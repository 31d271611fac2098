"""The server on a socket: what every HTTP client meets, and the ways in which it misbehaves."""

import asyncio
import json
import shutil
import ssl
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from nodehealth.kube.errors import OutcomeUnknownError, UnreachableError
from nodehealth.kube.transport import Request
from simulator.api import certificates, faults, http
from simulator.api.direct import Direct
from simulator.api.faults import Match
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.local import LocalTransport
from simulator.api.server import ADMIN_TOKEN, ApiServer
from simulator.api.wire import JsonObject
from tests.lacking import lacking
from tests.simulator.api.fakes import until

NODES = "/api/v1/nodes"
SOON = timedelta(seconds=0.05)


async def test_a_list_and_a_watch_over_a_socket(api: ApiServer, direct: Direct) -> None:
    direct.create("nodes", {"metadata": {"name": "a"}})

    async with http.serve(api) as served, aiohttp.ClientSession() as client:
        async with client.get(served.url + NODES) as answer:
            found = await answer.json()
        query = {"watch": "true", "resourceVersion": found["metadata"]["resourceVersion"]}
        async with client.get(served.url + NODES, params=query) as answer:
            direct.delete("nodes", "a")
            event = json.loads(await answer.content.readline())

    assert found["items"][0]["metadata"]["name"] == "a"
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "a")


async def test_a_wrong_token_is_refused_on_a_socket_too(api: ApiServer) -> None:
    headers = {"Authorization": "Bearer wrong"}

    async with http.serve(api) as served, aiohttp.ClientSession(headers=headers) as client:
        answer = await client.get(served.url + NODES)

    assert answer.status == 401


async def test_https_wants_a_token(api: ApiServer, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        lacking("this machine has no openssl, which makes the certificate")
    certificate = await asyncio.to_thread(certificates.make, tmp_path)
    context = await asyncio.to_thread(ssl.create_default_context, cafile=str(certificate[0]))
    connector = aiohttp.TCPConnector(ssl=context)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}

    async with (
        http.serve(api, certificate=certificate) as served,
        aiohttp.ClientSession(connector=connector) as client,
    ):
        known = await client.get(served.url + NODES, headers=headers)
        stranger = await client.get(served.url + NODES)

    assert (known.status, stranger.status) == (200, 401)


async def test_a_watch_whose_client_left_is_let_go(api: ApiServer) -> None:
    async with http.serve(api) as served, aiohttp.ClientSession() as client:
        async with client.get(served.url + NODES, params={"watch": "true"}):
            await until(lambda: len(api.watches) == 1)
        await until(lambda: len(api.watches) == 0)


def test_a_kubeconfig_leads_to_the_server(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"

    write_kubeconfig(path, "http://127.0.0.1:1", authority=tmp_path / "ca.crt")

    config = json.loads(path.read_text())
    assert config["clusters"][0]["cluster"]["certificate-authority"].endswith("ca.crt")
    assert config["users"][0]["user"]["token"] == ADMIN_TOKEN
    assert path.stat().st_mode & 0o077 == 0


async def ask(api: ApiServer, method: str = "GET", body: JsonObject | None = None) -> bytes:
    """Send a request through the in-process transport."""
    request = Request(
        method=method, path=NODES, body=b"" if body is None else json.dumps(body).encode()
    )
    async with LocalTransport(api).open(request, deadline=SOON) as response:
        return str(response.status).encode() + b" " + await response.read()


async def test_a_page_of_a_load_balancer(api: ApiServer) -> None:
    with api.faults.active(faults.Html(times=1)):
        assert (await ask(api)).startswith(b"502 <html>")
        assert (await ask(api)).startswith(b"200 {")


async def test_only_matching_requests_meet_a_fault(api: ApiServer) -> None:
    with api.faults.active(faults.Refuse(code=503, match=Match(method="POST", path="/nodes"))):
        assert (await ask(api)).startswith(b"200")
        assert (await ask(api, "POST", {})).startswith(b"503")


async def test_a_server_that_hangs_does_nothing(api: ApiServer, direct: Direct) -> None:
    with api.faults.active(faults.Hang()), pytest.raises(OutcomeUnknownError):
        await ask(api, "POST", {"metadata": {"name": "a"}})

    assert direct.listed("nodes") == []


@pytest.mark.parametrize("fault", [faults.HangAfterCommit(), faults.LoseAnswer()])
async def test_a_lost_answer_leaves_the_deed_done(
    api: ApiServer, direct: Direct, fault: faults.Fault
) -> None:
    with api.faults.active(fault), pytest.raises(OutcomeUnknownError):
        await ask(api, "POST", {"metadata": {"name": "a"}})

    assert len(direct.listed("nodes")) == 1


async def test_an_unreachable_server_did_nothing(api: ApiServer, direct: Direct) -> None:
    with api.faults.active(faults.Unreachable()), pytest.raises(UnreachableError):
        await ask(api, "POST", {"metadata": {"name": "a"}})

    assert direct.listed("nodes") == []


async def test_a_broken_connection_on_a_socket(api: ApiServer) -> None:
    async with http.serve(api) as served, aiohttp.ClientSession() as client:
        with api.faults.active(faults.LoseAnswer()), pytest.raises(aiohttp.ClientError):
            await client.post(served.url + NODES, json={"metadata": {"name": "a"}})


async def test_a_slow_server_answers_in_the_end(api: ApiServer) -> None:
    with api.faults.active(faults.Slow(delay=timedelta(milliseconds=5))):
        assert (await ask(api)).startswith(b"200")


async def test_an_empty_answer(api: ApiServer) -> None:
    with api.faults.active(faults.Empty()):
        assert await ask(api) == b"200 "
