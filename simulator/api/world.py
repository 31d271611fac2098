"""What every part of the server works on: the store, the kinds, the time, and fresh names."""

import random
import uuid
from dataclasses import dataclass
from typing import Final

from nodehealth.kit.clocks import Clock
from simulator.api import wire
from simulator.api.kinds import Kind, Registry
from simulator.api.store import Store
from simulator.api.wire import JsonObject

_SUFFIX: Final = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The state behind the API, and what makes its writes repeatable."""

    store: Store
    kinds: Registry
    clock: Clock
    random: random.Random

    def uid(self) -> str:
        """Make a UID that nobody has."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def suffix(self) -> str:
        """Make the five characters that follow a generateName."""
        return "".join(self.random.choices(_SUFFIX, k=5))

    def find(self, kind: Kind, namespace: str, name: str) -> JsonObject | None:
        """Return an object, if it is there."""
        entry = self.store.get(kind, kind.key(namespace, name))
        return None if entry is None else wire.load(entry.body)
