"""The ledger at the API server: read by quorum, swapped whole, and made anew when it was lost."""

import logging
from datetime import datetime

from msgspec import structs

from nodehealth import keys
from nodehealth.kit.clocks import Clock
from nodehealth.kit.shared import Shared
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.ledger import EVER, REPAIR_LEDGERS, Disruption, RepairLedger
from nodehealth.repair import NODE_REPAIRS
from remediator.decide import rates, recovery

logger = logging.getLogger(__name__)


class Ledgers:
    """Reads and writes the one ledger; whoever asks while a read is under way shares the next one.

    Args:
        client: The door to the API server.
        clock: The present time.
    """

    def __init__(self, *, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._shared = Shared(self._get, failures=errors.KubeError)

    async def read(self) -> RepairLedger:
        """Read the ledger as it is after this call; one that was lost is made anew, and closed."""
        return await self._shared.get()

    async def swap(self, ledger: RepairLedger) -> None:
        """Write the ledger if nobody else did since it was read.

        Raises:
            nodehealth.kube.errors.ConflictError: somebody did.
        """
        await self._write(ledger)

    async def ensure(self) -> RepairLedger:
        """Make the ledger if it is missing, never with an epoch below one that is in use.

        A ledger that is missing or behind while fences or repairs exist has lost admissions. What
        they and the open repairs say is put back, and disruption is closed until a person opens it.

        Raises:
            nodehealth.kube.errors.UnreadableError: the ledger must be made, and a witness cannot be
                read.
        """
        nodes = await self._client.listing(NODES)
        repairs = await self._client.listing(NODE_REPAIRS)
        rebuilt = recovery.rebuilt(nodes.items, repairs.items, self.now())
        ledger = await self._found()
        in_step = ledger is not None and ledger.status.epoch >= rebuilt.epoch - 1
        if ledger is not None and in_step and ledger.status.known_since is not None:
            return ledger
        rebuilt = recovery.rebuilt(nodes.whole(), repairs.whole(), self.now())
        if ledger is None:
            ledger = await self._create(closed=rebuilt.epoch > 0)
        if ledger.status.epoch >= rebuilt.epoch - 1:
            return await self._begun(ledger, fresh=not rebuilt.epoch)
        logger.error("RepairLedger was lost or fell behind: rebuilt, and closed to disruption")
        closed = {"spec": {"disruption": Disruption.CLOSED}}
        ledger = await self._client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, closed)
        return await self._write(structs.replace(ledger, status=rebuilt))

    def now(self) -> datetime:
        """Return the time by the API server's clock, which all replicas share."""
        return self._client.server_time or self._clock()

    def settled(self, ledger: RepairLedger) -> RepairLedger:
        """Set right what a wrong clock has left in the ledger."""
        status = rates.settled(ledger.status, self.now())
        return ledger if status is ledger.status else structs.replace(ledger, status=status)

    async def _get(self) -> RepairLedger:
        ledger = await self._found()
        known = ledger is not None and ledger.status.known_since is not None
        return ledger if ledger is not None and known else await self.ensure()

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

    async def _create(self, *, closed: bool) -> RepairLedger:
        disruption = Disruption.CLOSED if closed else Disruption.OPEN
        fresh = {"metadata": {"name": keys.LEDGER_NAME}, "spec": {"disruption": disruption}}
        return await self._client.create(REPAIR_LEDGERS, fresh)

    async def _write(self, ledger: RepairLedger) -> RepairLedger:
        return await self._client.replace(
            REPAIR_LEDGERS, ledger, name=keys.LEDGER_NAME, subresource="status"
        )
