"""The designs that were thought of before, as cuts of the present one; each must be caught."""

from typing import Final

from tests.safety.mutating import mutant

_FOUND: Final = """        try:
            return await self._client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
        except errors.GoneError:
            return None
"""
_WRITE: Final = """        return await self._client.replace(
            REPAIR_LEDGERS, ledger, name=keys.LEDGER_NAME, subresource="status"
        )
"""
_NOT_COMPARED: Final = (
    ("decide.gates", "    _borne_out,\n", ""),
    (
        "ledgers",
        "found = _amiss(ledger, in_use, nodes.items, repairs.items)",
        "found = list[str]()",
    ),
)
"""The old designs had nobody who compares the ledger with what Nodes and repairs say."""
_FORCED: Final = """await self._ledgers.forced(ledger, changed)"""
_FORCE: Final = '''    async def forced(self, before: RepairLedger, after: RepairLedger) -> None:
        """Write what changed over whatever is there by now."""
        for _ in range(20):
            now = await self._found()
            if now is None:
                return
            old, new, there = before.status, after.status, now.status
            slots = {k: v for k, v in there.slots.items() if k in new.slots or k not in old.slots}
            slots |= {k: v for k, v in new.slots.items() if old.slots.get(k) != v}
            kept = there.cordons.items()
            cordons = {k: v for k, v in kept if k in new.cordons or k not in old.cordons}
            cordons |= {k: v for k, v in new.cordons.items() if old.cordons.get(k) != v}
            epoch = max(there.epoch, new.epoch)
            status = structs.replace(new, slots=slots, cordons=cordons, epoch=epoch)
            try:
                await self._write(structs.replace(now, status=status))
            except errors.ConflictError:
                continue
            return

    async def ensure(self) -> RepairLedger:
'''
_UNFENCED: Final = (
    (
        "decide.marks",
        (
            "        return [*tests, patches.test(_FENCE, "
            "node.metadata.annotations[keys.FENCE_ANNOTATION])]"
        ),
        "        return tests",
    ),
    (
        "decide.marks",
        '        patches.test("/metadata/resourceVersion", node.metadata.resource_version),\n',
        "",
    ),
)
_GET: Final = """        ledger = await self._found()
        if ledger is None or"""

OLD_DESIGNS: Final = (
    mutant(
        "in-memory-counter",
        "Design A: each process counts for itself.",
        "LIMIT",
        ("ledgers", _FOUND, "        return getattr(self, '_memory', None)\n"),
        ("ledgers", _WRITE, "        self._memory = ledger\n        return ledger\n"),
        (
            "ledgers",
            "return await self._client.create(REPAIR_LEDGERS, fresh)",
            "del fresh\n        self._memory = RepairLedger()\n        return self._memory",
        ),
        *_NOT_COMPARED,
        seed=8,
    ),
    mutant(
        "count-in-cache-then-act",
        "Design B: the count is up to ten seconds old, and what is taken is written regardless.",
        "LIMIT S1",
        ("swaps", "await self._ledgers.swap(changed)", _FORCED),
        ("ledgers", "    async def ensure(self) -> RepairLedger:\n", _FORCE),
        (
            "ledgers",
            _GET,
            """        kept, at = getattr(self, "_kept", (None, self.now()))
        if kept is not None and (self.now() - at).total_seconds() < 10:
            return kept
        ledger = await self._found()
        self._kept = ledger, self.now()
        if ledger is None or""",
        ),
        *_NOT_COMPARED,
        seed=9,
    ),
    mutant(
        "count-live-then-act",
        "Design B2: the count is fresh, and what is taken is written regardless.",
        "LIMIT S1",
        ("swaps", "await self._ledgers.swap(changed)", _FORCED),
        ("ledgers", "    async def ensure(self) -> RepairLedger:\n", _FORCE),
        ("permits", "    if not turn.granted:\n", "    if turn is None:\n"),
        # nobody had an order in which who waits is served: without one, two choose differently
        (
            "swaps",
            "key=lambda each: each.question.rank",
            "key=lambda _: self._client._exchange._random.random()",
        ),
        *_NOT_COMPARED,
        seed=37,
    ),
    mutant(
        "slot-without-fence",
        "Design C: slots are swapped, but patches of Nodes test no fence and no version.",
        "UNTESTED LIMIT S2 S5",
        *_UNFENCED,
        seed=81,
    ),
)
