"""Which ledger is in use, noted beside it: a lost one is not taken for one that never was."""

from dataclasses import dataclass
from typing import Final

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import CONFIG_MAPS, ConfigMap

_UID: Final = "uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """The note of the UID of the ledger that has admitted anything: it is there before that."""

    client: Client

    async def read(self) -> ConfigMap | None:
        """Read the note; there is none while no ledger has admitted anything."""
        try:
            return await self.client.get(CONFIG_MAPS, keys.LEDGER_IN_USE, namespace=keys.NAMESPACE)
        except errors.GoneError:
            return None

    async def write(self, uid: str, known: ConfigMap | None) -> None:
        """Note another ledger.

        Args:
            uid: The UID of the ledger.
            known: The note as it was read.

        Raises:
            nodehealth.kube.errors.ConflictError: somebody else wrote meanwhile.
        """
        where, data = keys.NAMESPACE, {_UID: uid}
        if known is None:
            body = {"metadata": {"name": keys.LEDGER_IN_USE, "namespace": where}, "data": data}
            await self.client.create(CONFIG_MAPS, body, namespace=where)
            return
        version = {"resourceVersion": known.metadata.resource_version}
        change = {"metadata": version, "data": data}
        await self.client.merge_patch(CONFIG_MAPS, keys.LEDGER_IN_USE, change, namespace=where)


def uid(note: ConfigMap | None) -> str:
    """Return the UID that a note names; empty where there is none."""
    return note.data.get(_UID, "") if note is not None else ""
