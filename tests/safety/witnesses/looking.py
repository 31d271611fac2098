"""S10: whoever may only observe writes nothing that anybody else acts on."""

from dataclasses import dataclass
from typing import Final

from nodehealth import keys
from simulator import records
from simulator.api.audit import AuditEntry
from tests.safety.witnesses.history import REPAIRS, Witness

_OWN: Final = frozenset({REPAIRS, records.LEASES, "events", "events.events.k8s.io"})


@dataclass(slots=True)
class Harmless(Witness):
    """Looks at what is asked for while the mode is to observe."""

    observing: bool = False

    def asked(self, entry: AuditEntry) -> None:
        """Take in a write, however it was answered."""
        if not self.observing or entry.resource in _OWN:
            return
        told = entry.resource == "configmaps" and _about(entry).startswith(keys.TOLD)
        made = entry.resource == records.LEDGERS and entry.name in {"", keys.LEDGER_NAME}
        if not (told or made):
            self.history.breach("S10", f"{entry.verb} of {entry.resource} {entry.name}")

    def ledger(self, before: object, ledger: object) -> None:
        """A ledger may be made; nothing may be admitted to it."""
        found = self.history.ledger
        if self.observing and found is not None and found.status.epoch:
            self.history.breach("S10", f"epoch {found.status.epoch} was admitted")


def _about(entry: AuditEntry) -> str:
    return entry.name or (keys.TOLD if keys.TOLD.encode() in entry.body else "")
