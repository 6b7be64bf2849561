"""Whether the elements of a MATLAB file of version 5 to 7.2 are of known types: scipy.io ends its process at others.

A file is a header of 128 bytes and elements of a type, a size and their bytes. An element of type 14 is an array: its
flags with its class, then sizes, name and values, or further arrays; one of type 15 is another that is compressed.
Source: MAT-File Format, The MathWorks, chapter 1.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from workers.datasets.archive import ARRAY_RATIO, check_growth

HEADER = 128
PIECE = 64 * 1024
ARRAY, COMPRESSED = 14, 15
FLAGS = (6, 8)
"""Type and size of an array's first element."""
VALUES = frozenset((*range(1, 8), 9, 12, 13, *range(16, 19)))
CLASSES = range(1, 18)
PLAIN = {4: 3, 5: 5, **dict.fromkeys(range(6, 16), 3)}
"""Class -> elements of texts, sparse numbers and numbers: sizes, name, values and places; complex: one more."""
COMPLEX = 0x0800
MAX_NESTING = 50


class UnknownElement(ValueError):
    """An element that is of no known type, is larger than what holds it, or is compressed badly."""


def check(path: Path) -> None:
    """Files of version 4, which scipy reads in Python, pass.

    Raises UnknownElement, OSError, zlib.error, and InvalidDataset for arrays that grow more than real ones.
    """
    whole, unpacked = path.stat().st_size, 0
    with path.open("rb") as file:
        head = file.read(HEADER)
        if len(head) < HEADER or not all(head[:4]):
            return
        order = "<" if head[126:] == b"IM" else ">"  # as scipy takes it, whatever stands there
        at = HEADER
        while at + 8 <= whole:
            file.seek(at)
            kind, size = struct.unpack(f"{order}II", file.read(8))
            at += 8 + size
            if at > whole or kind not in (ARRAY, COMPRESSED):
                raise UnknownElement(f"an element of type {kind} and {size} bytes")
            source = _Bytes(file, size, compressed=kind == COMPRESSED)
            if kind == COMPRESSED:
                kind, size = struct.unpack(f"{order}II", source.take(8))
            if kind != ARRAY:
                raise UnknownElement(f"an element of type {kind}, where an array is expected")
            unpacked += size
            check_growth(unpacked, whole, file=path.name, ratio=ARRAY_RATIO)
            _array(source, size, order)


class _Bytes:
    """The next `size` bytes of a file, unpacked on the way where they are compressed."""

    def __init__(self, file: BinaryIO, size: int, *, compressed: bool) -> None:
        self._file, self._left, self._held = file, size, b""
        self._unpack = zlib.decompressobj() if compressed else None

    def take(self, count: int) -> bytes:
        while len(self._held) < count and (more := self._more()):
            self._held += more
        if len(self._held) < count:
            raise UnknownElement(f"{count} bytes, where {len(self._held)} are left")
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def skip(self, count: int) -> None:
        while count > 0:
            if not self._held:
                self._held = self._more()
            if not self._held:
                raise UnknownElement(f"{count} bytes, where none are left")
            taken = min(count, len(self._held))
            self._held = self._held[taken:]
            count -= taken

    def _more(self) -> bytes:
        while self._left or (self._unpack is not None and self._unpack.unconsumed_tail):
            if self._unpack is None:
                return self._read()
            packed = self._unpack.unconsumed_tail or self._read()
            if out := self._unpack.decompress(packed, PIECE):
                return out
        return b""

    def _read(self) -> bytes:
        piece = self._file.read(min(self._left, PIECE))
        self._left = self._left - len(piece) if piece else 0
        return piece


def _array(source: _Bytes, size: int, order: str, nesting: int = 0) -> None:
    """One array of `size` bytes: its flags, then elements of numbers, texts and further arrays."""
    if not size:
        return  # an empty cell
    if nesting > MAX_NESTING or size < 16:
        raise UnknownElement(f"an array of {size} bytes")
    flags = struct.unpack(f"{order}IIII", source.take(16))
    if flags[:2] != FLAGS or flags[2] & 0xFF not in CLASSES:
        raise UnknownElement(f"an array of class {flags[2] & 0xFF}")
    left, elements = size - 16, 0
    while left >= 8:
        elements += 1
        kind, count = struct.unpack(f"{order}II", source.take(8))
        left -= 8
        if kind >> 16:  # up to four bytes of values stand in the place of the size
            if kind & 0xFFFF not in VALUES or kind >> 16 > 4:
                raise UnknownElement(f"an element of type {kind & 0xFFFF}")
            continue
        padded = count + -count % 8
        if kind not in VALUES | {ARRAY} or count > left:
            raise UnknownElement(f"an element of type {kind} and {count} bytes")
        left -= padded
        if kind == ARRAY:
            _array(source, count, order, nesting + 1)
        else:
            source.skip(min(padded, left + padded))
    wanted = PLAIN.get(flags[2] & 0xFF)
    if wanted is not None and elements < wanted + bool(flags[2] & COMPLEX):
        raise UnknownElement(f"an array of {elements} elements, where {wanted + bool(flags[2] & COMPLEX)} are expected")
