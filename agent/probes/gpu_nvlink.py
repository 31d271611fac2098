"""How each GPU is connected to the other GPUs: how many NVLinks it has, and how clean they are."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent import cards
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import Card
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.health import Level

DOWN: Final = "gpu.nvlinks_down"
PEERS: Final = "gpu.nvlink_peers_missing"
CRC: Final = "gpu.nvlink_crc_errors"
RECOVERIES: Final = "gpu.nvlink_recoveries"
ERRORS: Final = "gpu.nvlink_errors"

_LINKS: Final = 91
_STATES: Final = "nvmlDeviceGetNvLinkState"
_REMOTES: Final = "nvmlDeviceGetNvLinkRemotePciInfo_v2"
_MOST_LINKS: Final = 64
_NOWHERE: Final = frozenset({"", "00000000:00:00.0", "0000:00:00.0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errors:
    """Which fields count one kind of error: totals of a GPU, or else those of each link."""

    name: str
    totals: tuple[int, ...] = ()
    links: tuple[int, ...] = ()
    fifth: tuple[int, ...] = ()
    """Those of each link of NVLink 5."""


_COUNTED: Final = (
    _Errors(name=CRC, totals=(38, 45), links=(163,)),
    _Errors(name=RECOVERIES, totals=(52, 59), links=(161, 162), fifth=(215,)),
    _Errors(name=ERRORS, fifth=(206, 207, 208, 209, 210, 211, 212, 214, 219)),
)
_FIFTH: Final = 215
"""A field of each link that there is only since NVLink 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUNVLink(Probe):
    """Watches the NVLinks of GPUs."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    links: int = 0
    """How many are to be active on each GPU; by default all that it has."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say which links are down, what they lead to no more, and what they damage."""
        gpus = host.gpus()
        if not gpus.cards and not past:
            return []
        uptime, now = await host.uptime(), asyncio.get_running_loop().time()
        spoken = cards.spoken(gpus)
        return [
            *(self._down(card, past.get((DOWN, cards.subject(card)))) for card in spoken),
            *(_peers(card, past.get((PEERS, cards.subject(card)))) for card in spoken),
            *(
                each
                for card in spoken
                for each in _counters(card, cards.sampled(card, now=now, uptime=uptime))
            ),
            *cards.mute([DOWN, PEERS, CRC], gpus, past),
        ]

    def _down(self, card: Card, before: Level | None) -> Reading:
        states = _states(card)
        if isinstance(states, Silence):
            return cards.reading(DOWN, card, states)
        down = [link for link, state in states.items() if state != 1]
        if not cards.was_known(before) and len(down) == len(states):
            return cards.reading(DOWN, card, ABSENT)
        missed = len(down)
        if self.links:
            missed = max(0, self.links - (len(states) - len(down)))
        named = {"down": ",".join(map(str, down))} if missed else {}
        return cards.reading(DOWN, card, float(missed), {"links": len(states), **named})


def _states(card: Card) -> Mapping[int, int] | Silence:
    """Return the state of each of a GPU's links: 1 where it is active."""
    if answers.number(card.answers, "nvmlDeviceGetMigMode", 0) == 1:
        return ABSENT
    links = answers.field(card.answers, _LINKS)
    if isinstance(links, Silence):
        links = len(answers.told(card.answers, _STATES))
    found: dict[int, int] = {}
    for link in range(min(links, _MOST_LINKS)):
        state = answers.number(card.answers, _STATES, f"{link}")
        if state is ABSENT:
            state = answers.field(card.answers, 165, link)
        if isinstance(state, int):
            found[link] = state
        elif state is not ABSENT:
            return state
    return found or ABSENT


def _peers(card: Card, before: Level | None) -> Reading:
    """Count the devices that a GPU's links led to in this boot, and do not lead to any more."""
    states = _states(card)
    if isinstance(states, Silence):
        return cards.reading(PEERS, card, states)
    remotes = {answers.text(card.answers, _REMOTES, f"{link}") for link in _active(states)}
    peers = {each for each in remotes if isinstance(each, str)} - _NOWHERE
    most = int(before.fields.get("peers", 0)) if before is not None else 0
    if not peers and not most:
        return cards.reading(PEERS, card, ABSENT)
    most = max(most, len(peers))
    return cards.reading(PEERS, card, float(most - len(peers)), {"peers": most})


def _active(states: Mapping[int, int]) -> list[int]:
    return [link for link, state in states.items() if state == 1]


def _counters(card: Card, uptime: float) -> Iterator[Answer]:
    """Say how far the counters of errors stand; what does not count is silent, but for a level."""
    states = _states(card)
    links = () if isinstance(states, Silence) else tuple(states)
    is_fifth = bool(links) and isinstance(answers.field(card.answers, _FIFTH, links[0]), int)
    for each in _COUNTED:
        total = _total(card, each, links, is_fifth=is_fifth) if links else ABSENT
        if isinstance(total, int) or each.name == CRC:
            yield cards.growing(each.name, card, total, uptime)


def _total(card: Card, which: _Errors, links: Sequence[int], *, is_fifth: bool) -> int | Silence:
    """Add up what a GPU and its links count.

    All of them or nothing: a link that is left out once and comes back would look like errors.
    """
    if is_fifth:
        return _sum(
            answers.field(card.answers, each, link) for each in which.fifth for link in links
        )
    whole = _sum(answers.field(card.answers, each) for each in which.totals)
    if whole is not ABSENT:
        return whole
    return _sum(answers.field(card.answers, each, link) for each in which.links for link in links)


def _sum(numbers: Iterator[int | Silence]) -> int | Silence:
    total: int | None = None
    for each in numbers:
        if isinstance(each, Silence):
            return each
        total = each if total is None else total + each
    return ABSENT if total is None else total
