"""The ledger at the API server: read by quorum, swapped whole, and made anew when it was lost."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import structs

from nodehealth import keys
from nodehealth.kit.clocks import Clock
from nodehealth.kit.shared import Shared
from nodehealth.kube import errors
from nodehealth.kube.client import Client, Listing
from nodehealth.kube.objects import NODES, ConfigMap, Node
from nodehealth.ledger import (
    EVER,
    REPAIR_LEDGERS,
    Disruption,
    RepairLedger,
    RepairLedgerStatus,
)
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator import inuse
from remediator.decide import odds, rates, recovery
from remediator.inuse import InUse

logger = logging.getLogger(__name__)

_TRIES: Final = 8
_GONE: Final = "it was gone"
_ANOTHER: Final = "it took the place of another one that was in use"


class Ledgers:
    """Reads and writes the one ledger; whoever asks while a read is under way shares the next one.

    Args:
        client: The door to the API server.
        clock: The present time.
    """

    def __init__(self, *, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._in_use = InUse(client=client)
        self._compared_uid = self._noted_uid = ""
        self._shared = Shared(self._get, failures=errors.KubeError)
        self._compared = Shared(self._compare, failures=errors.KubeError)

    async def read(self) -> RepairLedger:
        """Read the ledger as it is after this call; one that was lost is made anew, and closed."""
        return await self._shared.get()

    async def swap(self, ledger: RepairLedger) -> None:
        """Write the ledger if nobody else did since it was read.

        Before the first admission it is noted beside it that this one is in use.

        Raises:
            nodehealth.kube.errors.ConflictError: somebody did.
        """
        if ledger.status.epoch and ledger.metadata.uid != self._noted_uid:
            await self._note(ledger)
        await self._write(ledger)

    async def ensure(self) -> RepairLedger:
        """Compare the ledger with fences and repairs, and set it right where they know better.

        It is made if it is missing. One that was in use and is missing, or another one now, or at
        odds with them, has lost admissions: what they say is put back under an epoch above all that
        are in use, and disruption is closed until a person opens it.

        Raises:
            nodehealth.kube.errors.UnreadableError: the ledger can't be read, or it must be put
                together and a witness can't be.
        """
        return await self._compared.get()

    def now(self) -> datetime:
        """Return the time by the API server's clock, which all replicas share."""
        return self._client.server_time or self._clock()

    def settled(self, ledger: RepairLedger) -> RepairLedger:
        """Set right what a wrong clock has left, and forget that a ledger was rebuilt once seen."""
        status = rates.settled(ledger.status, self.now())
        if status.rebuilt is not None and ledger.spec.disruption is Disruption.OPEN:
            status = structs.replace(status, rebuilt=None)
        return ledger if status is ledger.status else structs.replace(ledger, status=status)

    async def _get(self) -> RepairLedger:
        ledger = await self._found()
        if ledger is None or ledger.metadata.uid != self._compared_uid:
            return await self.ensure()
        if ledger.status.known_since is None or not odds.is_sound(ledger.status):
            return await self.ensure()
        return ledger

    async def _note(self, ledger: RepairLedger) -> None:
        """Note that a ledger is in use, unless another one is."""
        note, uid = await self._in_use.read(), ledger.metadata.uid
        if note is None:
            await self._in_use.write(uid, None)
        elif inuse.uid(note) != uid:
            self._compared_uid = ""
            raise errors.ConflictError("another ledger is in use")
        self._noted_uid = uid

    async def _compare(self) -> RepairLedger:
        for _ in range(_TRIES):
            ledger = await self._found()
            note = await self._in_use.read()
            nodes = await self._client.listing(NODES)
            repairs = await self._client.listing(NODE_REPAIRS)
            try:
                right = await self._set_right(ledger, inuse.uid(note), nodes, repairs)
                if right.status.known_since is not None:
                    await self._vouch(right, note)
                    return right
            except errors.ConflictError:
                logger.info("the ledger was changed while it was compared; compares anew")
        raise errors.ConflictError("the ledger changed faster than it could be compared")

    async def _set_right(
        self,
        ledger: RepairLedger | None,
        in_use: str,
        nodes: Listing[Node],
        repairs: Listing[NodeRepair],
    ) -> RepairLedger:
        """Write a ledger only if nobody else did since it was read, which was before all else."""
        known = ledger.status if ledger is not None else RepairLedgerStatus()
        found = _amiss(ledger, in_use, nodes.items, repairs.items)
        if ledger is not None and not found and known.known_since is not None:
            return ledger
        rebuilt = recovery.rebuilt(nodes.whole(), repairs.whole(), self.now(), known, found)
        if ledger is None:
            ledger = await self._create(closed=bool(found))
            if not found:
                return ledger  # another one may have come and gone since we looked
        elif found and ledger.spec.disruption is Disruption.OPEN:
            ledger = await self._close(ledger)
        if rebuilt.rebuilt is None:
            return await self._begun(ledger, fresh=not rebuilt.epoch)
        why = "; ".join(rebuilt.rebuilt.found)
        logger.error("RepairLedger was rebuilt, and is closed to disruption: %s", why)
        return await self._write(structs.replace(ledger, status=rebuilt))

    async def _vouch(self, ledger: RepairLedger, note: ConfigMap | None) -> None:
        """Note which ledger is in use once it is set right, and remember that it is."""
        uid = ledger.metadata.uid
        if ledger.status.epoch and inuse.uid(note) != uid:
            await self._in_use.write(uid, note)
        self._noted_uid = uid if ledger.status.epoch else ""
        self._compared_uid = uid

    async def _found(self) -> RepairLedger | None:
        try:
            return await self._client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
        except errors.GoneError:
            return None

    async def _begun(self, ledger: RepairLedger, *, fresh: bool) -> RepairLedger:
        """Have a ledger say since when it knows what is admitted; only then is it of use."""
        status = ledger.status
        since = EVER if fresh and not status.epoch else self.now()
        return await self._write(
            structs.replace(ledger, status=structs.replace(status, known_since=since))
        )

    async def _close(self, ledger: RepairLedger) -> RepairLedger:
        version = {"resourceVersion": ledger.metadata.resource_version}
        closed = {"metadata": version, "spec": {"disruption": Disruption.CLOSED}}
        return await self._client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, closed)

    async def _create(self, *, closed: bool) -> RepairLedger:
        disruption = Disruption.CLOSED if closed else Disruption.OPEN
        fresh = {"metadata": {"name": keys.LEDGER_NAME}, "spec": {"disruption": disruption}}
        return await self._client.create(REPAIR_LEDGERS, fresh)

    async def _write(self, ledger: RepairLedger) -> RepairLedger:
        return await self._client.replace(
            REPAIR_LEDGERS, ledger, name=keys.LEDGER_NAME, subresource="status"
        )


def _amiss(
    ledger: RepairLedger | None, in_use: str, nodes: Sequence[Node], repairs: Sequence[NodeRepair]
) -> list[str]:
    """Say how it shows that admissions were lost, with the whole ledger or out of it."""
    uid = ledger.metadata.uid if ledger is not None else ""
    is_another = in_use not in {"", uid}
    if ledger is None or not (ledger.status.known_since or ledger.status.epoch):
        return [_GONE] if is_another or odds.is_evident(nodes, repairs) else []
    found = [each.message for each in odds.found(ledger.status, nodes, repairs)]
    return [_ANOTHER, *found] if is_another else found
