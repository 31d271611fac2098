"""`nodemend repairs approve`, `retry`, `release` and `cancel`: what people say to a repair."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodehealth.repair import NodeRepair, Phase, Wish
from nodemend import asking, complaints, requesting, wishes
from nodemend.looking import repairs as repairing
from nodemend.options import By, Context, Kubeconfig, named
from nodemend.requesting import Outcome
from remediator.decide import joined
from remediator.decide.moves import Reason

_NAMED: Final = "The repair, or its node."
Name: TypeAlias = Annotated[str, typer.Argument(help=_NAMED, callback=named)]
Because: TypeAlias = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
Waits: TypeAlias = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until it has come true.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What is wanted, by whom, of which cluster."""

    what: Wish
    reason: str
    by: str
    wait: bool
    kubeconfig: Path | None
    context: str | None

    def of(self, name: str) -> None:
        """Ask it of one repair, and tell what came of it."""

        async def question(client: Client) -> list[Outcome]:
            repair = requesting.found(await requesting.listed(client), name)
            return await self._asked(client, [(repair, self.what, "")])

        with complaints.said():
            outcomes = asking.ask(question, self.kubeconfig, self.context)
        self._tell(outcomes)

    def of_all(self, repairs: list[NodeRepair], parted: list[NodeRepair], rule: str) -> None:
        """Ask it of many repairs, have others go on without the rule, and tell what came of it."""
        wanted = [(each, self.what, "") for each in repairs]
        wanted += [(each, Wish.DROP, rule) for each in parted]
        with complaints.said():
            outcomes = asking.ask(
                lambda client: self._asked(client, wanted), self.kubeconfig, self.context
            )
        self._tell(outcomes)

    async def _asked(
        self, client: Client, wanted: list[tuple[NodeRepair, Wish, str]]
    ) -> list[Outcome]:
        author = await wishes.author(client, self.by)
        asked = [
            await requesting.request(client, each, what, author, self.reason, rule)
            for each, what, rule in wanted
        ]
        return await requesting.awaited(client, asked) if self.wait else []

    def _tell(self, outcomes: list[Outcome]) -> None:
        if not self.wait:
            sys.stdout.write("Asked; `nodemend repairs` shows what comes of it.\n")
            return
        for each in outcomes:
            refused = "" if each.done else "not done: "
            sys.stdout.write(f"{each.repair.metadata.name}: {refused}{each.says}.\n")
        if not all(each.done for each in outcomes):
            raise typer.Exit(1)


def approve(
    name: Name,
    *,
    by: By = "",
    wait: Waits = True,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Let a repair go on that asks for a person's word."""

    async def question(client: Client) -> tuple[NodeRepair, bool]:
        repair = requesting.found(await requesting.listed(client), name)
        asks = repair.status.reason == Reason.NOT_APPROVED  # once more, for what joined it since
        if repair.spec.approved is not None and not asks:
            return repair, False
        author = await wishes.author(client, by)
        made = await requesting.approve(client, repair, author)
        return (await requesting.let_go(client, made) if wait else made), True

    with complaints.said():
        repair, new = asking.ask(question, kubeconfig, context)
    approved = repair.spec.approved
    author = (approved.by if approved is not None else "") or "somebody"
    already = "" if new else " already"
    sys.stdout.write(
        f"{repair.metadata.name} is approved{already}, by {author}; "
        f"it is {repairing.phase_of(repair)}.\n"
    )
    if repair.status.phase in {Phase.PARKED, Phase.NEEDS_HUMAN}:
        sys.stdout.write(f"To have it begun anew: nodemend repairs retry {repair.metadata.name}\n")
    if wait and new and repair.status.reason == Reason.NOT_APPROVED:
        sys.stdout.write("No remediator has taken that in yet; it will when one leads.\n")
        raise typer.Exit(1)


def retry(
    name: Name,
    *,
    reason: Because = "",
    by: By = "",
    wait: Waits = True,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Begin the ladder anew of a repair that is parked or needs a person.

    It asks for a slot of its own, like any other.
    """
    _Asking(
        what=Wish.RETRY, reason=reason, by=by, wait=wait, kubeconfig=kubeconfig, context=context
    ).of(name)


def cancel(
    name: Name,
    *,
    reason: Because = "",
    by: By = "",
    wait: Waits = True,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Stop a repair that has begun no remedy, and give its node back.

    It is not begun again for the same fault until that was over once, or somebody asks to retry.
    """
    _Asking(
        what=Wish.CANCEL, reason=reason, by=by, wait=wait, kubeconfig=kubeconfig, context=context
    ).of(name)


def release(
    name: Annotated[str, typer.Argument(help=_NAMED)] = "",
    *,
    rule: Annotated[
        str, typer.Option(help="All open repairs of this rule that have begun no remedy.")
    ] = "",
    pool: Annotated[str, typer.Option(help="With --rule: only in this pool.")] = "",
    dry_run: Annotated[bool, typer.Option(help="With --rule: only say which.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --rule: do not ask.")] = False,
    reason: Because = "",
    by: By = "",
    wait: Waits = True,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Give a node back as it is, or the nodes of all repairs of a rule that has turned out bad.

    Its fault is left alone until it was over once, or somebody asks to retry. While an order to
    the machine may still be carried out, this is refused.
    """
    with complaints.said():
        _check(name, rule, of_rule=bool(pool) or dry_run or yes)
    what = Wish.CANCEL if rule else Wish.RELEASE
    ask = _Asking(
        what=what, reason=reason, by=by, wait=wait, kubeconfig=kubeconfig, context=context
    )
    if not rule:
        ask.of(name)
        return
    with complaints.said():
        repairs = asking.ask(requesting.listed, kubeconfig, context)
        found = requesting.releasable(repairs, rule, pool)
        parted = requesting.droppable(repairs, rule, pool)
        if not any(found) and not parted:
            sys.stdout.write(f"{_none(repairs, rule, pool)}\n")
        meant = _announced(*found)
        for each in parted:
            sys.stdout.write(
                f"goes on without {rule}: {each.spec.target.node} ({each.status.phase}), for "
                f"{each.spec.rule}, repair {each.metadata.name}\n"
            )
        if not (meant or parted) or dry_run:
            return
        _confirm(len(meant), len(parted), rule, yes=yes)
    ask.of_all(meant, parted, rule)


def _check(name: str, rule: str, *, of_rule: bool) -> None:
    if bool(name) == bool(rule):
        both = "both" if name else "neither"
        raise SettingsError(f"expected a repair or its node, or --rule, got {both}")
    if not rule and of_rule:
        raise SettingsError("--pool, --dry-run and --yes are for --rule")


def _none(repairs: tuple[NodeRepair, ...], rule: str, pool: str) -> str:
    """Say that no repair is meant, and which rules have some: the name may be misspelt."""
    others = requesting.rules(repairs, pool)
    known = f"; there are of {', '.join(others)}" if others else ""
    if pool and rule in requesting.rules(repairs, ""):
        known += f"; without --pool there are some of {rule}"
    return f"No open repair{f' in pool {pool}' if pool else ''} is of rule {rule}{known}."


def _announced(meant: list[NodeRepair], kept: list[tuple[NodeRepair, str]]) -> list[NodeRepair]:
    """Say what is given back and what is not, and return the first."""
    for each in meant:
        others = "".join(f", for {other} as well" for other in joined.rules(each)[1:])
        said = f"{each.spec.target.node} ({each.status.phase}){others}"
        sys.stdout.write(f"is given back: {said}, repair {each.metadata.name}\n")
    for each, why in kept:
        way = f"all the same: nodemend repairs release {each.metadata.name}"
        sys.stdout.write(f"is left alone: {each.spec.target.node}, for {why}; {way}\n")
    return meant


def _confirm(count: int, parted: int, rule: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("nobody is there to ask whether that is meant; say --yes if it is")
    nodes = f"{count} node{'' if count == 1 else 's'}"
    meant = [f"Give {nodes} back, and leave their faults to people"] if count else []
    meant += [f"{'have' if count else 'Have'} {parted} repairs go on without {rule}"] * bool(parted)
    if not typer.confirm(f"{', and '.join(meant)}?"):
        raise typer.Exit(1)


COMMANDS: Final = (approve, retry, release, cancel)
"""All that can be said to a repair."""
