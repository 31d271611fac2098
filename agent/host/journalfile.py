"""One file of systemd's journal, as far as what the kernel said is in it.

The format is systemd's own and documented. All values of a field hang together, and all entries
with one value: so the entries of the kernel are found without those of anybody else. The journal
writes on while it is read; nothing in a file is believed that does not fit.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

_SIGNATURE: Final = b"LPKSHHRH"
_COMPACT: Final = 16
_UNDERSTOOD: Final = 1 | 2 | 4 | 8 | _COMPACT
"""What a file may do that older readers do not know: three compressions, keyed hashes, compact."""
_DATA, _FIELD, _ENTRY, _ARRAY = 1, 2, 3, 6
_COMPRESSED: Final = 7
"""The flags of an object that say by which of the three it is compressed."""

_HEADER: Final = Struct("<8sIIB7x16s16s16s16s13Q")
_OBJECT: Final = Struct("<BB6xQ")
_FIELD_HEAD: Final = Struct("<16xQQQ")
_DATA_HEAD: Final = Struct("<16xQQQQQQ")
_ENTRY_HEAD: Final = Struct("<16xQQQ16sQ")
_NUMBER: Final = Struct("<Q")
_SHORT: Final = Struct("<I")

_TRANSPORT: Final = b"_TRANSPORT"
_KERNEL: Final = b"_TRANSPORT=kernel"
_SAID: Final = b"_SOURCE_MONOTONIC_TIMESTAMP"
_WANTED: Final = frozenset({b"MESSAGE", b"PRIORITY", b"SYSLOG_FACILITY", _SAID})
_GLANCE: Final = 1024
"""Bytes that are read at a time: most objects fit."""
_LARGEST: Final = 64 * 1024
_FARTHEST: Final = 1 << 48
_MOST_LINKS: Final = 100_000
_CACHED: Final = 4096
_DIGITS: Final = 20


class StrangeError(Exception):
    """It is no file of a journal, or one of a kind that nobody here knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the kernel said once."""

    at: int
    """When it was said, in µs since the machine started."""
    fields: dict[bytes, bytes]
    """Those that are wanted; what is compressed is missing."""

    def number(self, name: bytes, otherwise: int) -> int:
        """Return the number in a field."""
        said = self.fields.get(name, b"")
        return int(said) if _is_number(said) else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    flags: int
    boot: str
    fields_at: int
    fields_size: int
    began: int
    tail_sequence: int


class JournalFile:
    """A file that is open, and how far its entries of the kernel were read.

    Args:
        fd: Its descriptor, ours to close.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        header = self._header()
        self.boot = header.boot
        """The boot that wrote last, without dashes: nothing of a later one is in it."""
        self._is_compact = bool(header.flags & _COMPACT)
        self._item = _SHORT if self._is_compact else _NUMBER
        self.began = header.began
        """When its first entry was written, in µs since 1970."""
        self._tail = -1
        self._kernel = 0
        """Where the value `_TRANSPORT=kernel` is; 0 while there is none."""
        self._read = self._next = 0
        self._array, self._slot = 0, 0
        self._known = dict[int, tuple[bytes, bytes] | None]()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def fresh(self, boot: str) -> Iterator[Entry]:
        """Yield what the kernel said in a boot since this was asked last, and no end of it.

        Raises:
            OSError: the file cannot be read.
            StrangeError: it is damaged here.
        """
        header = self._header()
        if header.tail_sequence == self._tail:
            return
        self.boot = header.boot
        self._kernel = self._kernel or self._found(header)
        if self._kernel:
            yield from self._entries(boot)
        self._tail = header.tail_sequence

    def _entries(self, boot: str) -> Iterator[Entry]:
        *_, first, array, count = self._unpacked(_DATA_HEAD, self._object(self._kernel, _DATA))
        while self._read < count:
            at = self._next or (first if self._read == 0 else self._linked(array))
            self._next = at  # what is damaged is looked at again: it may have been half written
            entry = self._entry(at, boot)
            self._read, self._next = self._read + 1, 0
            if entry is not None:
                yield entry

    def _linked(self, first: int) -> int:
        """Return where the next entry is, from the chain of arrays that lists them."""
        self._array = self._array or first
        for _ in range(_MOST_LINKS):
            head = self._bytes(self._array, 24)
            kind, _, size = _OBJECT.unpack_from(head)
            if kind != _ARRAY:
                raise StrangeError(f"expected an array at {self._array}")
            if self._slot < (size - 24) // self._item.size:
                at = self._array + 24 + self._slot * self._item.size
                self._slot += 1
                return self._number(self._item, self._bytes(at, self._item.size))
            self._array, self._slot = self._number(_NUMBER, head[16:]), 0
        raise StrangeError("arrays without end")

    def _entry(self, at: int, wanted: str) -> Entry | None:
        body = self._object(at, _ENTRY)
        if len(body) < _ENTRY_HEAD.size:
            raise StrangeError(f"expected an entry at {at}")
        _, _, monotonic, boot, _ = _ENTRY_HEAD.unpack_from(body)
        if boot.hex() != wanted:
            return None
        fields = dict[bytes, bytes]()
        step = self._item.size if self._is_compact else 16
        for item in range(64, len(body) - step + 1, step):
            field = self._field(self._number(self._item, body[item : item + self._item.size]))
            if field is not None:
                fields[field[0]] = field[1]
        said = fields.pop(_SAID, b"")
        return Entry(at=int(said) if _is_number(said) else monotonic, fields=fields)

    def _field(self, at: int) -> tuple[bytes, bytes] | None:
        """Return name and value of a field that is wanted; most are shared by many entries."""
        if at in self._known:
            return self._known[at]
        if len(self._known) >= _CACHED:
            self._known.clear()
        body = self._object(at, _DATA)
        name, _, value = self._payload(body).partition(b"=")
        field = (name, value) if name in _WANTED and not body[1] & _COMPRESSED else None
        if field is None or name in {b"PRIORITY", b"SYSLOG_FACILITY"}:
            self._known[at] = field
        return field

    def _found(self, header: _Header) -> int:
        """Find the value `_TRANSPORT=kernel`: by the table of fields, then its values in turn."""
        table = self._bytes(header.fields_at, min(header.fields_size, _LARGEST))
        for bucket in range(0, len(table) - 15, 16):
            at = self._number(_NUMBER, table[bucket : bucket + 8])
            for _ in range(_MOST_LINKS):
                if not at:
                    break
                body = self._object(at, _FIELD)
                _, at, values = self._unpacked(_FIELD_HEAD, body)
                if body[40:] == _TRANSPORT:
                    return self._valued(values)
        return 0

    def _valued(self, at: int) -> int:
        for _ in range(_MOST_LINKS):
            if not at:
                break
            body = self._object(at, _DATA)
            if self._payload(body) == _KERNEL:
                return at
            _, _, at, *_ = self._unpacked(_DATA_HEAD, body)
        return 0

    def _payload(self, body: bytes) -> bytes:
        return body[72 if self._is_compact else 64 :]

    def _object(self, at: int, kind: int) -> bytes:
        """Read an object of a kind, its head included."""
        body = self._some(at, _GLANCE)
        if len(body) < _OBJECT.size:
            raise StrangeError(f"expected an object at {at}, the file ends")
        found, _, size = _OBJECT.unpack_from(body)
        if found != kind or not _OBJECT.size < size:
            raise StrangeError(f"expected an object of kind {kind} at {at}, got {found}")
        if size > len(body):
            body = self._bytes(at, min(size, _LARGEST))
        return body[:size]

    def _bytes(self, at: int, size: int) -> bytes:
        found = self._some(at, size)
        if len(found) < size:
            raise StrangeError(f"expected {size} bytes at {at}, got {len(found)}")
        return found

    def _some(self, at: int, size: int) -> bytes:
        if at >= _FARTHEST:
            raise StrangeError(f"expected a place in the file, got {at}")
        return os.pread(self._fd, size, at)

    def _header(self) -> _Header:
        found = os.pread(self._fd, _HEADER.size, 0)
        if len(found) < _HEADER.size:
            raise StrangeError("too short for a journal")
        signature, _, flags, _, _, _, boot, _, *numbers = _HEADER.unpack(found)
        if signature != _SIGNATURE or flags & ~_UNDERSTOOD:
            raise StrangeError("no journal that is understood")
        return _Header(
            flags=flags,
            boot=boot.hex(),
            fields_at=numbers[4],
            fields_size=numbers[5],
            tail_sequence=numbers[9],
            began=numbers[12],
        )

    @staticmethod
    def _unpacked(head: Struct, body: bytes) -> tuple[int, ...]:
        if len(body) < head.size:
            raise StrangeError("an object that is too short")
        return head.unpack_from(body)

    @staticmethod
    def _number(form: Struct, found: bytes) -> int:
        (number,) = form.unpack_from(found)
        return int(number)


def _is_number(said: bytes) -> bool:
    return said.isdigit() and len(said) <= _DIGITS
