"""The agent: everything put together, started, and ended in order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from agent import bookmark, identity, state
from agent.exposed import exposed
from agent.host.guard import HungError
from agent.host.journal import Kernel
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml import oom
from agent.host.nvml.counts import Counts
from agent.host.nvml.facts import Gpus, NvmlEvent
from agent.host.nvml.process import Starter
from agent.host.nvml.supervisor import Supervisor
from agent.host.records import OWN, TOPICS
from agent.host.stream import Stream
from agent.identity import Claim
from agent.keeping import Keeper
from agent.monitor import Monitor
from agent.publish import Publisher
from agent.report import Report
from agent.settings import Settings
from agent.state import State
from agent.tally import Tally
from nodehealth import keys
from nodehealth.health import NodeHealthStatus
from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock
from nodehealth.kit.pulse import Pulse
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import connect, kubeconfig
from nodehealth.kube.client import Client

RECORDS: Final = "pstore"
"""Where beside the state what the kernel left of crashes is copied to."""
LAST_WRITES: Final = timedelta(seconds=7)
"""How long the writes in flight, to the API server and to the disk, may take at the end."""


async def serve(
    settings: Settings, *, config: Path | None = None, context: str | None = None
) -> None:
    """Run the agent on this machine until SIGTERM or SIGINT.

    Raises:
        nodehealth.kit.settings.SettingsError: something that was set is wrong.
        agent.identity.IdentityError: it is not clear which Node this is.
        nodehealth.kube.errors.SettingsError: the way to the API server is described wrongly.
    """
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    nvml = watch(settings, clock=clocks.wall, oom=oom.step_forward)
    claim = await asyncio.to_thread(_claim, settings, config, context)
    async with connect.connect(config, context=context, manager=keys.AGENT_MANAGER) as client:
        await run(
            settings,
            client=client,
            host=door(settings, nvml),
            claim=claim,
            clock=clocks.wall,
            random=Random(),  # noqa: S311 - jitter is no secret
            stop=stop,
            nvml=nvml,
        )


def watch(settings: Settings, *, clock: Clock, oom: Callable[[], str] = str) -> Supervisor | None:
    """Return who is to watch the GPUs, from within the event loop, unless that is put off."""
    if settings.nvml is None:
        return None
    return Supervisor(
        settings.nvml,
        root=settings.root,
        starter=Starter(oom=oom),
        now=asyncio.get_running_loop().time,
        clock=clock,
        events=Stream[NvmlEvent](),
        counts=Counts(),
    )


def door(settings: Settings, nvml: Supervisor | None) -> Host:
    """Return the door to the machine, through which its GPUs are seen as well."""
    return Host(
        root=settings.root,
        boot_id=settings.boot_id,
        records=settings.state_file.parent / RECORDS,
        kernel_log=KernelLog(
            settings.kmsg,
            topics={**TOPICS, OWN: settings.patterns.words},
            opened=Kernel(settings.root, settings.boot_id).opened,
        ),
        patterns=settings.patterns,
        gpus=nvml.gpus if nvml else Gpus,
        gpu_events=nvml.events if nvml else None,
        gpus_changed=nvml.changed.rung if nvml else None,
        rest=nvml.rest if nvml else lambda _: None,
        hurry=nvml.hurry if nvml else lambda _: None,
    )


async def run(
    settings: Settings,
    *,
    client: Client,
    host: Host,
    claim: Claim,
    clock: Clock,
    random: Random,
    stop: asyncio.Event,
    last_writes: timedelta = LAST_WRITES,
    nvml: Supervisor | None = None,
) -> None:
    """Probe and report for one Node until told to stop."""
    tally = Tally(nvml=nvml.counts if nvml else None)
    keeper = Keeper(settings.state_file, tally=tally)
    report = Report(client, node=claim.name, node_uid=claim.uid)
    publisher = Publisher(report.send, clock=clock, random=random, tally=tally)

    report_anew = reporter(publisher, settings, host)

    def listen(known: State) -> None:
        keeper.offer(known)
        report_anew(known)

    begin = await begun(settings, host, claim.uid, clock, keeper=keeper)
    host.kernel_log.resume(bookmark.position(state.past(begin, bookmark.KEEPER)))
    monitor = Monitor(settings.probes, host, begin=begin, clock=clock, listener=listen, tally=tally)
    async with _exposed(settings.listen, tally, monitor, host), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_watched(monitor, host, random), name="probes")
        keeping = tasks.create_task(keeper.run(), name="keeper")
        publishing = tasks.create_task(publisher.run(), name="publisher")
        asking = [tasks.create_task(nvml.run(), name="nvml")] if nvml else []
        await stop.wait()
        for each in (watching, *asking):
            each.cancel()
        await asyncio.wait({watching})
        keeper.stop(state.ended(monitor.state, clock()))
        publisher.stop()
        last = {keeping, publishing, *asking}
        _, late = await asyncio.wait(last, timeout=last_writes.total_seconds())
        for each in late:
            each.cancel()


async def _watched(monitor: Monitor, host: Host, random: Random) -> None:
    """Ask the probes, and listen to what tells without being asked."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(host.kernel_log.run(random), name="kernel log")
        tasks.create_task(monitor.run(random), name="probes")


@contextlib.asynccontextmanager
async def _exposed(listen: str, tally: Tally, monitor: Monitor, host: Host) -> AsyncIterator[None]:
    """Answer those who watch the agent, if it is to listen at all."""
    if not listen:
        yield
        return
    pulse = Pulse()
    beating = asyncio.create_task(pulse.run(), name="pulse")
    try:
        async with exposed(
            listen,
            tally=tally,
            known=lambda: monitor.state,
            pulse=pulse,
            kernel_log=host.kernel_log,
        ):
            yield
    finally:
        beating.cancel()
        await asyncio.wait({beating})


def reported(known: State, settings: Settings, host: Host) -> NodeHealthStatus:
    """Return the report of all that is known, and of what runs on the machine."""
    return state.status(known, agent_version=settings.version, driver_version=host.gpus().version)


def reporter(publisher: Publisher, settings: Settings, host: Host) -> Callable[[State], None]:
    """Offer reports that say something new: to make one takes as long as most looks."""
    last: tuple[object, ...] = ()

    def offer(known: State) -> None:
        nonlocal last
        said = (known.levels, known.events, known.reports, known.uncounted, host.gpus().version)
        if said != last:
            last = said
            publisher.offer(reported(known, settings, host))

    return offer


async def begun(
    settings: Settings,
    host: Host,
    node_uid: str,
    clock: Clock,
    *,
    keeper: Keeper | None = None,
) -> State:
    """Return the state before any probe has answered."""
    try:
        boot_id = await host.boot_id()
    except (OSError, HungError) as failure:
        raise SettingsError(f"boot id: expected a readable file, got: {failure}") from failure
    return state.begin(
        await keeper.load() if keeper else None,
        boot_id=boot_id,
        node_uid=node_uid,
        probes=settings.probes,
        now=clock(),
        kept_at=keeper.kept_at if keeper else None,
    )


def _claim(settings: Settings, config: Path | None, context: str | None) -> Claim:
    token = _token(config, context)
    return identity.settled(node=settings.node, node_uid=settings.node_uid, token=token)


def _token(config: Path | None, context: str | None) -> str:
    """Return the token that the agent will show, for what it says of the Node."""
    file = connect.SERVICE_ACCOUNT / "token"
    if config is not None:
        access = kubeconfig.load(config, context)
        if not access.user.token_file:
            return access.user.token
        file = access.file(access.user.token_file)
    return file.read_text().strip() if file.is_file() else ""
