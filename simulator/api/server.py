"""The API server without its sockets: requests in, answers out, everything else is handed in."""

import random
from collections.abc import Mapping
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.kube.transport import Request
from simulator.api import answers, builtin, premade, reviews, routes, status
from simulator.api.answers import Answer, Outcome
from simulator.api.audit import Audit, AuditEntry
from simulator.api.calls import ADMIN, Call, User
from simulator.api.discovery import Discovery
from simulator.api.faults import Faults
from simulator.api.handlers import Handlers
from simulator.api.kinds import Registry
from simulator.api.policies import Policies
from simulator.api.rights import Rights
from simulator.api.routes import Route
from simulator.api.schemas.definitions import Definitions
from simulator.api.status import StatusError
from simulator.api.store import Hook, Store
from simulator.api.strategies.table import strategies
from simulator.api.streaming import Watches
from simulator.api.tokens import Tokens
from simulator.api.world import World
from simulator.api.writes import Writes

ADMIN_TOKEN: Final = "admin-token"  # noqa: S105 - it opens an emulator that holds nothing


class ApiServer:
    """A Kubernetes API server that lives in this process.

    Args:
        clock: What time it is.
        seed: What makes UIDs and names repeatable.
        tokens: Who holds which bearer token, besides service accounts.
        rbac: Whether nobody may do more than roles grant; else everybody may do everything.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        tokens: Mapping[str, User] | None = None,
        rbac: bool = False,
    ) -> None:
        kinds = Registry({**builtin.KINDS, **{kind.resource: kind for kind in reviews.KINDS}})
        self.world = World(
            store=Store(clock),
            kinds=kinds,
            clock=clock,
            random=random.Random(seed),  # noqa: S311 - repeatable on purpose
        )
        self.faults = Faults()
        self._audits: list[Audit] = []
        self._tokens = Tokens(self.world, tokens or {ADMIN_TOKEN: ADMIN})
        rules = strategies()
        policies, self._rights = Policies(self.world), Rights(self.world) if rbac else None
        writes = Writes(self.world, rules, policies.admit)
        for hook in (Definitions(self.world, rules).notice, policies.notice):
            self.on_commit(hook)
        if self._rights is not None:
            self.on_commit(self._rights.notice)
        self._handlers = Handlers(self.world, writes, self._tokens, self._rights, self.faults.lag)
        self.faults.rouse = self.watches.rouse
        self._discovery = Discovery(kinds)
        premade.fill(self.world, writes)

    @property
    def watches(self) -> Watches:
        """The watches that are open now."""
        return self._handlers.watches

    def on_commit(self, hook: Hook) -> None:
        """Tell of every change to an object, in order and at once."""
        self.world.store.on_commit(hook)

    def on_request(self, audit: Audit) -> None:
        """Tell of every request when its answer is known."""
        self._audits.append(audit)

    def compact(self) -> None:
        """Forget all history: watches from before now have expired."""
        self.world.store.compact()

    async def handle(self, request: Request, user: User | None = None) -> Answer:
        """Answer a request as it comes from a client, unless a fault is in the way.

        Raises:
            nodehealth.kube.errors.UnavailableError: the connection breaks.
        """
        fault = self.faults.next_for(request)
        if fault is None:
            return Answer(self.respond(request, user))
        return Answer(await fault.answer(lambda: self.respond(request, user)))

    def respond(self, request: Request, user: User | None = None) -> Outcome:
        """Answer a request at once; a watch is answered with a stream that needs a running loop.

        Without a user it is authenticated by its token.
        """
        at = self.world.clock()
        try:
            outcome = self._answer(request, user)
        except StatusError as problem:
            outcome = answers.refusal(problem)
        return answers.with_headers(outcome, {"date": answers.date(at.replace(microsecond=0))})

    def _answer(self, request: Request, user: User | None) -> Outcome:
        known = user or self._user(request)
        found = self._discovery.answer(request, known)
        if found is not None:
            return found
        if known is None:
            raise status.unauthorized()
        method, path = request.method, request.path
        route = routes.parse(self.world.kinds, method, path, request.query)
        if route is None:
            raise status.no_such_path()
        call = self._call(route, request, known)
        return self._audited(call, request)

    def _audited(self, call: Call, request: Request) -> Outcome:
        since = self.world.store.version
        try:
            if self._rights is not None:
                self._rights.check(call)
            outcome = self._handlers.handle(call, request)
        except StatusError as problem:
            self._audit(call, request, problem.code, since)
            raise
        self._audit(call, request, outcome.code, since)
        return outcome

    def _call(self, route: Route, request: Request, user: User) -> Call:
        return Call(
            verb=route.verb,
            kind=route.kind,
            at=self.world.clock(),
            user=user,
            namespace=route.namespace,
            name=route.name,
            subresource=route.subresource,
            query=request.query,
            agent=request.headers.get("user-agent", ""),
        )

    def _user(self, request: Request) -> User | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return self._tokens.user(token.strip()) if kind.lower() == "bearer" else None

    def _audit(self, call: Call, request: Request, code: int, since: int) -> None:
        entry = AuditEntry(
            at=call.at,
            user=call.user.name,
            manager=call.manager,
            verb=call.verb,
            method=request.method,
            path=request.path,
            resource=call.kind.resource,
            subresource=call.subresource,
            namespace=call.namespace,
            name=call.name,
            dry_run=call.query.get("dryRun") == "All",
            code=code,
            content_type=request.headers.get("content-type", ""),
            body=request.body,
            since=since,
        )
        for audit in self._audits:
            audit(entry)
