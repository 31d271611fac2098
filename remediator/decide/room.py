"""How large the ledger may become by what is admitted: it is one object, and etcd has a limit."""

from typing import Final

import msgspec

from nodehealth.ledger import RepairLedger
from remediator.decide.limits import Admitted, Refused, Why

MOST: Final = 768 * 1024
"""How many bytes admissions may fill. Etcd takes 1.5 MiB; the rest is for what people and breakers
say, and for giving back, which is never refused."""


def fitting(ledger: RepairLedger, answer: Admitted | Refused) -> Admitted | Refused:
    """Refuse an admission with which the ledger would be too large; what is in it stays."""
    if isinstance(answer, Refused) or answer.ledger is ledger:
        return answer
    if len(msgspec.json.encode(answer.ledger.status)) <= MOST:
        return answer
    message = f"the ledger would have more than {MOST // 1024} KiB; waits until some nodes are back"
    return Refused(why=Why.LEDGER_FULL, message=message)
