"""Who stands behind each of the demo's nodes that are not simulated."""

from collections.abc import Mapping, Sequence

from nodehealth.outcome import Outcome
from simulator.hooks import Hooks


class Hosts(Hooks):
    """Passes on what befalls a node to whoever stands behind it."""

    def __init__(self, behind: Mapping[str, Hooks]) -> None:
        self._behind = behind

    async def machine_gone(self, node: str) -> None:
        """Tell whoever it is."""
        await self._behind[node].machine_gone(node)

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Tell whoever it is."""
        await self._behind[node].machine_started(node, node_uid, boot_id)

    async def errand(self, node: str, words: Sequence[str]) -> Outcome | None:
        """Have whoever it is run the program."""
        return await self._behind[node].errand(node, words)
