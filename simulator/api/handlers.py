"""What each verb does, subresource by subresource."""

import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from nodehealth.kube.transport import Request
from simulator.api import answers, bodies, deletion, reading, reviews, status, wire
from simulator.api.answers import Outcome
from simulator.api.calls import Call
from simulator.api.evictions import Evictions
from simulator.api.presenting import View
from simulator.api.rights import Rights
from simulator.api.store import Entry
from simulator.api.streaming import Lag, Watch, Watches
from simulator.api.tokens import Tokens
from simulator.api.wire import JsonObject
from simulator.api.world import World
from simulator.api.writes import Writes

Handler: TypeAlias = Callable[[Call, Request], Outcome]

_SHORTEST_WATCH: Final = 1800.0


class Handlers:
    """Carries out calls."""

    def __init__(
        self, world: World, writes: Writes, tokens: Tokens, rights: Rights | None, lag: Lag
    ) -> None:
        self.watches = Watches()
        self._world = world
        self._writes = writes
        self._tokens = tokens
        self._lag = lag
        self._evictions = Evictions(world, writes)
        self._reviews = reviews.reviews(tokens, rights)
        self._random = random.Random(0)  # noqa: S311 - spreads timeouts, keeps no secret
        self._verbs: Mapping[str, Handler] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_many,
        }
        self._named: Mapping[str, Handler] = {
            "eviction": self._evict,
            "binding": self._bind,
            "token": self._token,
        }

    def handle(self, call: Call, request: Request) -> Outcome:
        """Carry out a call.

        Raises:
            simulator.api.status.StatusError: it is refused.
        """
        if call.subresource in self._named:
            if call.verb != "create":
                raise status.not_allowed()
            return self._named[call.subresource](call, request)
        return self._verbs[call.verb](call, request)

    def _get(self, call: Call, request: Request) -> Outcome:
        return View(self._world, call, request).one(self._entry(call).body)

    def _list(self, call: Call, request: Request) -> Outcome:
        found = reading.page(self._world.store, call)
        return View(self._world, call, request).many(found)

    def _watch(self, call: Call, request: Request) -> Outcome:
        clock, asked = self._world.clock, call.query.get("timeoutSeconds", "")
        timeout = float(asked) if asked.isdigit() and int(asked) else self._timeout()
        watch = Watch(self._world.store, call, clock=clock, lag=self._lag, timeout=timeout)
        encode = View(self._world, call, request).event
        return Outcome(code=200, stream=self.watches.lines(watch, encode))

    def _timeout(self) -> float:
        return _SHORTEST_WATCH * (1 + self._random.random())

    def _create(self, call: Call, request: Request) -> Outcome:
        body = bodies.read(request)
        review = self._reviews.get(call.kind.resource)
        if review is not None:
            face = {"kind": call.kind.kind, "apiVersion": call.kind.api_version, "metadata": {}}
            return answers.of({**face, **body, "status": review(call, body)}, code=201)
        made = self._writes.create(call, body)
        return View(self._world, call, request).one(made, code=201)

    def _update(self, call: Call, request: Request) -> Outcome:
        body = bodies.read(request)
        missing = self._world.store.get(call.kind, call.key) is None
        if missing and call.kind.creates_on_update and not call.subresource:
            made = self._writes.create(call, body)
            return View(self._world, call, request).one(made, code=201)
        changed = self._writes.change(call, lambda _present: body)
        return View(self._world, call, request).one(changed)

    def _patch(self, call: Call, request: Request) -> Outcome:
        changed = self._writes.change(call, bodies.patch(call.kind, request))
        return View(self._world, call, request).one(changed)

    def _delete(self, call: Call, request: Request) -> Outcome:
        wanted = deletion.options(call, bodies.read(request))
        gone = deletion.delete(self._world, call, wanted)
        return View(self._world, call, request).one(gone)

    def _delete_many(self, call: Call, request: Request) -> Outcome:
        wanted = deletion.options(call, bodies.read(request))
        found = reading.page(self._world.store, call)
        for entry in found.entries:
            deletion.delete(self._world, call.about(entry.fields), wanted)
        return View(self._world, call, request).many(found)

    def _evict(self, call: Call, request: Request) -> Outcome:
        done = self._evictions.evict(call, bodies.read(request))
        return Outcome(code=201, pieces=(done,))

    def _bind(self, call: Call, request: Request) -> Outcome:
        body = bodies.read(request)
        node, uid = wire.text(body, "target", "name"), wire.text(body, "metadata", "uid")
        version = wire.text(body, "metadata", "resourceVersion")
        since = wire.timestamp(call.at)

        def bound(pod: JsonObject) -> JsonObject:
            if uid not in {"", pod["metadata"]["uid"]}:
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                raise status.conflict("pods", call.name, why + pod["metadata"]["uid"])
            if version not in {"", pod["metadata"]["resourceVersion"]}:
                why = f"Precondition failed: ResourceVersion in precondition: {version}"
                raise status.conflict("pods", call.name, why)
            if pod["metadata"].get("deletionTimestamp"):
                why = f"pod {call.name} is being deleted, cannot be assigned to a host"
                raise status.conflict("pods/binding", call.name, why)
            if wire.text(pod, "spec", "nodeName"):
                why = f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
                raise status.conflict("pods/binding", call.name, why)
            pod["spec"]["nodeName"] = node
            conditions = wire.items(pod, "status", "conditions")
            others = [one for one in conditions if one.get("type") != "PodScheduled"]
            scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": since}
            wire.made(pod, "status")["conditions"] = [*others, scheduled]
            return pod

        self._writes.change(call, bound)
        return answers.of(status.success(code=201), code=201)

    def _token(self, call: Call, request: Request) -> Outcome:
        return answers.of(self._tokens.request(call, bodies.read(request)), code=201)

    def _entry(self, call: Call) -> Entry:
        entry = self._world.store.get(call.kind, call.key)
        if entry is None:
            raise status.not_found(call.kind.resource, call.name)
        return entry
