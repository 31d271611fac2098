"""What NVIDIA would have done after an error of NVLink 5: by code, unit, cause and driver.

The word `info` of a line names unit and cause, in one layout before driver 575 and in another
since. The table is NVIDIA's decoding of XIDs 144 to 150 for data centers, without its prose.
"""

from dataclasses import dataclass
from typing import Final

from agent.host.nvrm import Fault

IGNORE: Final = "IGNORE"
EVALUATE: Final = "XID_154_EVAL"
"""What XID 154, or the GPU's recovery action, says."""
RESET: Final = "RESET_GPU"
_NEW: Final = 575
"""The first driver with the new layout."""
_ACTIONS: Final = {"ignore": IGNORE, "154": EVALUATE, "reset": RESET}
_GRAVITY: Final = (IGNORE, EVALUATE, RESET)

# code: the XID; old, new: the unit in either layout; cause: bits 20 to 25, `-` for none in
# particular; flag: bit 10 in the old layout and bit 7 in the new one; status: the bits that may be
# set, `=` before values that are none, `*` for any
_TABLE: Final = """
144  1  1 -  - 1,4,8,20             ignore
144  1  1 -  - 2,10                 reset
145  3  3 -  - 80000000             ignore
145  4  4 -  - 1,2,4,8,10,20        154
145  4  4 -  - 40,80                reset
145  4  4 -  - 100,200,80000000     ignore
145  5  5 -  - 1,80000000           ignore
145  5  5 -  - 2                    reset
145  6  6 -  0 1,2,4                ignore
145  6  6 -  1 1,2,4                reset
145  6  6 -  - 8,80000000           ignore
145  7  7 -  - 1,10,20              reset
145  7  7 -  - 2,80000000           ignore
145  7  7 -  - 4,8                  154
145  8  8 -  - 1,10000,80000000     ignore
145  8  8 -  - 2,20000,100000       reset
146  9  9 -  - 1,2,80000000         ignore
146  9  9 -  - 4                    reset
146 10 10 -  - 1,2,80000000         ignore
146 10 10 -  - 4                    reset
146 10 11 -  - 1,2,80000000         ignore
146 10 11 -  - 4                    reset
146 11 12 -  - 1,2,80000000         ignore
146 11 12 -  - 4                    reset
146 11 13 -  - 1,2,80000000         ignore
146 11 13 -  - 4                    reset
147 12 14 -  - 1,80000000           ignore
148  0 15 -  - 80000000             ignore
149  0 24 0  - *                    reset
149 14 17 0,1,2,4,10,15,16,17,18,21,22,32,33,34,35,36,37,42,43 - * reset
149 14 17 38,40 - *                 ignore
149 17 19 0  - =0,=1,=2,=3          ignore
149 18 20 0  - =1,=4,=5,=7          reset
149 18 20 0  - =3                   ignore
150  0  0 -  - *                    reset
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    code: int
    old: int
    new: int
    causes: frozenset[int]
    flag: int | None
    bits: int
    values: frozenset[int]
    is_any: bool
    action: str

    def holds(self, status: int) -> bool:
        return self.is_any or status in self.values or bool(status & self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    unit: int
    cause: int
    flag: int


def action(code: int, fault: Fault, branch: int) -> str:
    """Return what is to be done, nothing where NVIDIA does not say; of several the gravest counts.

    Args:
        code: The XID.
        fault: What the line says.
        branch: The driver's major version, such as 570; 0 where it is not known.
    """
    is_new = branch >= _NEW if branch else not _is_old(code, fault.info)
    word = _new(fault.info) if is_new else _old(fault.info)
    rows = [each for each in _ROWS if each.code == code and _applies(each, word, is_new=is_new)]
    actions = [each.action for each in rows if each.holds(fault.status)]
    return max(actions, key=_GRAVITY.index, default="")


def _applies(row: _Row, word: _Word, *, is_new: bool) -> bool:
    unit = row.new if is_new else row.old
    caused = not row.causes or word.cause in row.causes
    return word.unit == unit and caused and row.flag in {None, word.flag}


def _old(info: int) -> _Word:
    return _Word(unit=info >> 5 & 0x1F, cause=info >> 20 & 0x3F, flag=info >> 10 & 1)


def _new(info: int) -> _Word:
    return _Word(unit=info & 0x7F, cause=info >> 20 & 0x3F, flag=info >> 7 & 1)


def _is_old(code: int, info: int) -> bool:
    """Say whether the lowest bits number the XID, as only the old layout has it."""
    unit = info >> 5 & 0x1F
    return info & 0x1F == code - 143 and any((code, unit) == (row.code, row.old) for row in _ROWS)


def _row(line: str) -> _Row:
    code, old, new, causes, flag, status, then = line.split()
    said = status.split(",")
    return _Row(
        code=int(code),
        old=int(old),
        new=int(new),
        causes=frozenset() if causes == "-" else frozenset(map(int, causes.split(","))),
        flag=None if flag == "-" else int(flag),
        bits=sum(int(each, 16) for each in said if each[0] not in "=*"),
        values=frozenset(int(each[1:], 16) for each in said if each[0] == "="),
        is_any=status == "*",
        action=_ACTIONS[then],
    )


_ROWS: Final = tuple(map(_row, _TABLE.strip().splitlines()))
