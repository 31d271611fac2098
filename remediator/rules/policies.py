"""From the YAML of a policy to what is decided by, with every mistake named."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from nodehealth import quantities
from nodehealth.kit.settings import SettingsError
from remediator.rules import breakers, bringing, people, routing, terms
from remediator.rules.documents import Document, Page
from remediator.rules.people import Known
from remediator.rules.policy import (
    CLUSTER,
    CLUSTER_LIMIT,
    DEFAULT_POOL,
    DOMAIN_LIMIT,
    FULL_WITHIN,
    LONGEST_MEMORY,
    POOL_LIMIT,
    Coexistence,
    Condemning,
    Conditions,
    Domain,
    DrainManners,
    GpuClients,
    Limit,
    Policy,
    Pool,
    Rate,
)
from remediator.rules.routing import CheckReceiver
from remediator.rules.terms import Limits, Pace, PolicyFile, Rates

CheckProvider: TypeAlias = Callable[[str, object], object]
"""Raises SettingsError if there is no such owner of machines or a setting does not fit."""


NOTHING: Final[Known] = {}
"""No name is checked."""


def policy(
    document: Document,
    check_receiver: CheckReceiver = routing.unchecked,
    check_provider: CheckProvider = routing.unchecked,
    known: Known = NOTHING,
) -> Policy:
    """Make a policy ready to be decided by.

    Raises:
        ProblemsError: says all that is wrong with it.
    """
    page = Page(document)
    spec = page.read(PolicyFile).spec
    pools = list[Pool]()
    for n, each in enumerate(spec.pools):
        where = f"$.spec.pools[{n}]"
        if each.name == CLUSTER or each.name in {pool.name for pool in pools}:
            page.wrong(f"{where}.name", f"{each.name} is taken; a pool needs a name of its own")
        limit = _limit(each.limits, POOL_LIMIT, f"{where}.limits", page)
        limit = _paced(limit, each.rate, f"{where}.rate", page)
        made = (
            people.windows(each.windows, f"{where}.windows", page)
            if each.windows is not None
            else None
        )
        pools.append(
            Pool(
                name=each.name,
                labels=each.labels,
                limit=limit,
                windows=made,
                desired=each.desired,
            )
        )
    provider, settings = _provider(spec.provider, page, check_provider)
    limit = _limit(spec.limits, CLUSTER_LIMIT, "$.spec.limits", page)
    names = {"pool": {DEFAULT_POOL, *(each.name for each in pools)}}
    policy = Policy(
        mode=spec.mode,
        pools=tuple(pools),
        domains=_domains(spec.domains, page),
        control_plane=spec.control_plane.repair,
        limit=_paced(limit, spec.rate, "$.spec.rate", page),
        per_gang=None if isinstance(spec.limits.per_gang, str) else spec.limits.per_gang,
        drain=_drain(spec.drain, page),
        gpu_clients=_gpu_clients(spec.gpu_clients, page),
        provider=provider,
        provider_settings=settings,
        alerts=routing.alerting(spec.alerts, page, check_receiver),
        condemned=_condemning(spec.condemned, page),
        competitors=spec.competitors,
        coexistence=_coexistence(spec.coexistence, page),
        breaking=breakers.breaking(spec.breakers, page),
        conditions=Conditions(
            names=spec.conditions.names,
            every_node=spec.conditions.every_node,
            lifecycle=spec.conditions.lifecycle,
        ),
        approvals=people.approvals(spec.approvals, page, {**known, **names}),
        windows=people.windows(spec.windows, "$.spec.windows", page),
        cooldown=page.duration("$.spec.cooldown", spec.cooldown),
        webhooks=bringing.hooks(spec.webhooks, page),
        jobs_namespace=spec.jobs.namespace,
        burn_in=(
            bringing.made(spec.jobs.burn_in, "$.spec.jobs.burnIn", page)
            if spec.jobs.burn_in is not None
            else None
        ),
    )
    page.done()
    return policy


def _domains(written: tuple[terms.Domain, ...], page: Page) -> tuple[Domain, ...]:
    domains = list[Domain]()
    for n, each in enumerate(written):
        where = f"$.spec.domains[{n}]"
        if each.label in {domain.label for domain in domains}:
            page.wrong(f"{where}.label", f"{each.label} is there twice")
        if each.limits.cordoned is None and each.limits.disrupted is None:
            page.wrong(where, "expected a limit, as in `limits: {disrupted: 1}`, got none")
        limit = _limit(each.limits, DOMAIN_LIMIT, f"{where}.limits", page)
        limit = _paced(limit, each.rate, f"{where}.rate", page)
        domains.append(Domain(label=each.label, limit=limit))
    return tuple(domains)


def _drain(given: terms.DrainManners, page: Page) -> DrainManners:
    where = "$.spec.drain"
    if sorted(set(given.tiers)) != list(given.tiers):
        page.wrong(f"{where}.tiers", f"expected priorities in rising order, got {given.tiers}")
    return DrainManners(
        settle=page.duration(f"{where}.settle", given.settle),
        again=page.duration(f"{where}.again", given.again),
        concurrency=given.concurrency,
        rate=given.rate,
        unreplicated=given.unreplicated,
        silent=page.duration(f"{where}.silent", given.silent),
        overdue=page.duration(f"{where}.overdue", given.overdue),
        twice=page.duration(f"{where}.twice", given.twice),
        tiers=given.tiers,
        detach=page.duration(f"{where}.detach", given.detach),
    )


def _coexistence(written: terms.Coexistence, page: Page) -> Coexistence:
    namespace, _, name = written.kured.partition("/")
    if written.kured and (not namespace or not name or "/" in name):
        page.wrong("$.spec.coexistence.kured", f"expected namespace/name, got {written.kured!r}")
    return Coexistence(
        medik8s=written.medik8s,
        kured=(namespace, name) if written.kured else None,
        machines=written.machines,
    )


def _gpu_clients(written: terms.GpuClients, page: Page) -> GpuClients:
    if not written.labels:
        page.wrong("$.spec.gpuClients.labels", "expected at least one label, got none")
    pairs = [each.partition("/") for each in written.daemon_sets]
    for n, (namespace, _, name) in enumerate(pairs):
        if not namespace or not name or "/" in name:
            where, said = f"$.spec.gpuClients.daemonSets[{n}]", written.daemon_sets[n]
            page.wrong(where, f"expected namespace/name, got {said!r}")
    daemon_sets = frozenset((namespace, name) for namespace, _, name in pairs)
    return GpuClients(daemon_sets=daemon_sets, labels=written.labels)


def _provider(
    written: str | Mapping[str, Mapping[str, Any]], page: Page, check: CheckProvider
) -> tuple[str, Mapping[str, Any]]:
    """Read who owns the machines: a name, or one name with its settings."""
    where = "$.spec.provider"
    chosen = {written: {}} if isinstance(written, str) else written
    if len(chosen) != 1:
        fact = ", ".join(map(str, chosen)) or "nothing"
        page.wrong(where, f"expected one owner of machines, got {fact}")
        return "", {}
    ((name, settings),) = chosen.items()
    try:
        if name or settings:
            check(name, settings)
    except SettingsError as wrong:
        page.wrong(where, str(wrong))
    return name, settings


def _condemning(given: Literal["never"] | terms.Condemning, page: Page) -> Condemning:
    if not isinstance(given, terms.Condemning):
        return Condemning(gpus=0, hosts=0)
    within = page.duration("$.spec.condemned.within", given.within)
    if within > LONGEST_MEMORY:
        longest = quantities.spoken(LONGEST_MEMORY)
        page.wrong(
            "$.spec.condemned.within", f"repairs are remembered for {longest}, got {given.within}"
        )
    return Condemning(gpus=given.gpus, hosts=given.hosts, within=within)


def _limit(limits: Limits, base: Limit, where: str, page: Page) -> Limit:
    shares = {}
    for name in ("cordoned", "disrupted"):
        given = getattr(limits, name)
        if given is None:
            continue
        shares[name] = given if isinstance(given, tuple) else (given,)
        for share in shares[name]:
            try:
                quantities.share(share, 100)
            except ValueError as wrong:
                page.wrong(f"{where}.{name}", str(wrong))
    small = base.small_pool if limits.small_pool is None else limits.small_pool
    return replace(
        base,
        cordoned=shares.get("cordoned", base.cordoned),
        disrupted=shares.get("disrupted", base.disrupted),
        small_pool=small,
    )


def _paced(limit: Limit, rates: Rates, where: str, page: Page) -> Limit:
    return replace(
        limit,
        cordons=_rate(rates.cordons, limit.cordons, f"{where}.cordons", page),
        disruptions=_rate(rates.disruptions, limit.disruptions, f"{where}.disruptions", page),
    )


def _rate(given: Pace | str | None, base: Rate | None, where: str, page: Page) -> Rate | None:
    if given is None:
        return base
    if not isinstance(given, Pace):
        return None
    try:
        most, per = quantities.rate(given.most)
    except ValueError as wrong:
        page.wrong(f"{where}.most", str(wrong))
        return base
    rate = Rate(most=most, per=per, burst=given.burst)
    if rate.every * rate.burst > FULL_WITHIN:
        longest = quantities.spoken(FULL_WITHIN)
        page.wrong(where, f"a burst of {rate.burst} takes longer than {longest} to come again")
    return rate
