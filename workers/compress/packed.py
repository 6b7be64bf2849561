"""Writes packed weights: each tensor in the smallest of the allowed codings that restores every bit.

The format is described in the loader (`workers/compress/loader.py`, shipped in the bundle as `load.py`). It follows
Han et al. 2016, Deep Compression: indices into a codebook of shared values instead of values (section 3), runs of zeros
instead of zeros (section 2), and Huffman codes for both (section 4).

The Huffman coder is dahuffman (pure Python, 50 kB, MIT): it exposes its table, so a few lines of numpy decode what it
wrote. constriction, the alternative, is a compiled coder whose bits only constriction itself reads.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from dahuffman import HuffmanCodec
from numpy.typing import NDArray
from torch import Tensor

from workers.compress.loader import LONGEST_RUN, MAGIC, unpack

PLAIN = ("fill", "int64", "float16", "float32")
SPARSE = (*PLAIN, "sparse")
SHARED = (*SPARSE, "shared")
CODED = (*SHARED, "huffman", "runs")
"""The codings that a network may use after each step: plain ones, then what pruning, sharing and coding add."""

LARGEST_BOOK = 256
LONGEST_CODE = 24

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A tensor in one coding. numbers: what the header holds for it, see the loader. body: its bytes."""

    coding: str
    numbers: tuple[int, ...] = ()
    body: bytes


def pack(weights: Mapping[str, Tensor], codings: Sequence[str]) -> bytes:
    """A state dict as the bytes of a packed file. Raises ValueError where reading it back does not restore every bit.

    weights: float32 or int64 tensors of any shape, on the CPU. codings: the names allowed, such as `SPARSE`.
    """
    tensors, body = [], []
    for name, tensor in weights.items():
        part = min(_parts(tensor, codings), key=lambda part: len(part.body))
        tensors.append([name, list(tensor.shape), part.coding, *part.numbers])
        body.append(part.body)
    text = json.dumps({"version": 1, "tensors": tensors}, separators=(",", ":")).encode()
    header = zlib.compress(text, 9)
    packed = MAGIC + len(header).to_bytes(4, "little") + header + b"".join(body)
    if not identical(unpack(packed), weights):
        raise ValueError("the packed weights do not read back bit for bit; this is a bug in workers/compress/packed.py")
    return packed


def identical(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts are equal in every bit, names and shapes included."""
    return list(some) == list(others) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in zip(some.values(), others.values(), strict=True)
    )


def _parts(tensor: Tensor, codings: Sequence[str]) -> Iterator[Part]:
    """The tensor in every allowed coding that can represent it, at least one."""
    if tensor.dtype == torch.int64:
        yield Part(coding="int64", body=tensor.numpy().astype("<i8").tobytes())
        return
    x: Floats = tensor.numpy().reshape(-1)
    bits = x.view(np.uint32)  # compared as bits, since -0.0 == 0.0 and NaN != NaN
    yield Part(coding="float32", body=_bytes(x))
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
    if "float16" in codings and np.array_equal(half.astype(np.float32).view(np.uint32), bits):
        yield Part(coding="float16", body=half.astype("<f2").tobytes())
    if "fill" in codings and len(x) and (bits == bits[0]).all():
        yield Part(coding="fill", body=_bytes(x[:1]))
    if "sparse" in codings:
        yield Part(coding="sparse", body=np.packbits(bits != 0).tobytes() + _bytes(x[bits != 0]))
    if "shared" in codings:
        yield from _shared(bits, codings)


def _shared(bits: NDArray[np.uint32], codings: Sequence[str]) -> Iterator[Part]:
    """By a codebook of the distinct values, where there are at most LARGEST_BOOK. bits: (n,)."""
    book, places = np.unique(bits, return_inverse=True)
    if len(book) > LARGEST_BOOK:
        return
    width = max(1, int(len(book) - 1).bit_length())
    spelled = (places[:, None] >> np.arange(width)[::-1]) & 1  # (n, width), the highest bit first
    written = _bytes(book.view(np.float32))
    yield Part(
        coding="shared", numbers=(len(book), width), body=written + np.packbits(spelled.astype(np.uint8)).tobytes()
    )
    if "huffman" in codings and (coded := _stream(places)):
        yield Part(coding="huffman", numbers=(len(book), coded[0]), body=written + coded[1])
    if "runs" in codings and book[0] == 0 and len(book) > 1:
        yield from _runs(book, places)


def _runs(book: NDArray[np.uint32], places: Places) -> Iterator[Part]:
    """The zeros, whose index is 0, as run lengths. book: (k,) bits, zero first; places: (n,) indices into it."""
    there = np.flatnonzero(places)
    gaps = np.diff(there, prepend=-1) - 1  # zeros before each value
    runs: list[int] = []
    for gap in gaps.tolist():
        runs += [LONGEST_RUN] * (gap // LONGEST_RUN)
        runs.append(gap % LONGEST_RUN)
    lengths, coded = _stream(np.array(runs)), _stream(places[there] - 1)
    if lengths and coded:
        numbers = (len(book) - 1, coded[0], lengths[0], len(runs))
        yield Part(coding="runs", numbers=numbers, body=_bytes(book[1:].view(np.float32)) + lengths[1] + coded[1])


def _stream(symbols: Places) -> tuple[int, bytes] | None:
    """Huffman codes of the symbols, (n,) of 0 to 255 -> (number of codes, the bytes of table and codes).

    None where a code would be longer than the 24 bits that the table has for it.
    """
    codec = HuffmanCodec.from_frequencies(Counter(symbols.tolist()))
    codes = [(s, length, code) for s, (length, code) in codec.get_code_table().items() if isinstance(s, int)]
    if max(length for _, length, _ in codes) > LONGEST_CODE:
        return None
    table = b"".join(bytes((symbol, length)) + code.to_bytes(3, "little") for symbol, length, code in codes)
    coded = codec.encode(symbols.tolist())
    return len(codes), table + len(coded).to_bytes(4, "little") + coded


def _bytes(x: Floats) -> bytes:
    return x.astype("<f4").tobytes()
