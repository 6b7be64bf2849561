"""Reads packed weights: `load()` returns the trained model. Needs torch and numpy only, and `model.py` beside it.

A packed file is

    8 bytes   "ARCHPACK"
    4 bytes   length of the header, little-endian
    header    zlib; JSON {"version": 1, "tensors": [[name, shape, coding, numbers...], ...]} in the order of the body
    body      the parts of each tensor, one after the other, each a whole number of bytes, little-endian

Codings and their parts; n is the number of values of the tensor, row by row:

    fill      one value, float32
    int64     n values
    float32   n values
    float16   n values
    sparse    n bits, 1 where a value is not zero; then as many float32 as there are ones
    shared    [k, b]: a codebook of k values, float32; then n indices into it, b bits each, the highest bit first
    huffman   [k, c]: a codebook of k values, float32; then n indices into it as a coded stream with c codes
    runs      [k, c, d, m]: a codebook of k values, float32; then m runs of zeros as a coded stream with d codes; then
              an index into the codebook for each run with a value, as a coded stream with c codes. A run of r < 255
              is r zeros and then a value, a run of 255 is 255 zeros and no value; zeros follow the last run

A coded stream is a table of prefix codes, five bytes each: the symbol (1), the length of its code in bits (1), the code
(3); then the length of the bits in bytes (4); then the codes of the symbols one after the other, the highest bit first,
filled up with zeros to a whole byte.
"""

import importlib.util
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

MAGIC = b"ARCHPACK"
LONGEST_RUN = 255


class Body:
    """The bytes of the body, read from front to back. `place` is the byte that is read next."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        self.place += length
        return self.data[self.place - length : self.place]

    def array(self, dtype: str, count: int) -> np.ndarray:
        """The next `count` numbers, (count,), read-only: a view of the bytes."""
        kind = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self.take(count * kind.itemsize), kind)

    def bits(self, count: int) -> np.ndarray:
        """The next `count` bits, (count,) of 0 and 1; the rest of the last byte is skipped."""
        return np.unpackbits(self.array("u1", -(-count // 8)))[:count]

    def stream(self, codes: int, count: int) -> np.ndarray:
        """The next `count` symbols, (count,) int64, of a coded stream with a table of `codes` codes.

        Decoding bit by bit in Python is slow. Instead numpy finds, for every bit of the stream at once, which code
        would begin there; a short loop then jumps from code to code.
        """
        table = self.array("u1", 5 * codes).reshape(codes, 5).astype(np.int64)
        symbols, lengths, values = table[:, 0], table[:, 1], table[:, 2] + 256 * table[:, 3] + 65536 * table[:, 4]
        longest = int(lengths.max(initial=1))
        bits = np.unpackbits(self.array("u1", int(self.array("u4", 1)[0])))  # (L,)

        # window[i]: the `longest` bits from bit i on as one number; beyond the end the stream reads as zeros
        ahead = np.concatenate([bits, np.zeros(longest, np.uint8)])
        window = np.zeros(len(bits), np.int64)  # (L,)
        for place in range(longest):
            window = 2 * window + ahead[place : place + len(bits)]

        # A code, filled up with zeros to `longest` bits, is the smallest window that begins with it. No code is the
        # beginning of another, so the windows of a code lie together, between its own start and that of the next one.
        starts = values << (longest - lengths)  # (codes,)
        order = np.argsort(starts)
        found = order[np.searchsorted(starts[order], window, side="right") - 1]  # (L,), row of the table

        # Only those bits count where a code really begins: the first, and each after a code has ended.
        steps, begins, place = lengths[found].tolist(), [], 0
        for _ in range(count):
            begins.append(place)
            place += steps[place]
        return symbols[found[begins]]


def unpack(data: bytes) -> dict[str, torch.Tensor]:
    """The state dict in a packed file: tensors by name, in memory of their own. Raises ValueError for another file."""
    if data[:8] != MAGIC:
        raise ValueError(f"not a packed file of weights: it does not begin with {MAGIC.decode()}")
    start = 12 + int.from_bytes(data[8:12], "little")
    header = json.loads(zlib.decompress(data[12:start]))
    body = Body(data[start:])
    return {
        name: torch.from_numpy(values(body, coding, int(np.prod(shape)), numbers).reshape(shape))
        for name, shape, coding, *numbers in header["tensors"]
    }


def values(body: Body, coding: str, n: int, numbers: list[int]) -> np.ndarray:
    """The n values of the next tensor, (n,) float32 or int64, in memory of their own.

    numbers: those that the header has after the coding. Raises ValueError for an unknown coding.
    """
    if coding == "fill":
        return np.full(n, body.array("f4", 1)[0], np.float32)
    if coding == "int64":
        return body.array("i8", n).astype(np.int64)
    if coding in ("float16", "float32"):
        return body.array(coding, n).astype(np.float32)
    if coding == "sparse":
        filled = np.zeros(n, np.float32)
        nonzero = body.bits(n) == 1
        filled[nonzero] = body.array("f4", int(nonzero.sum()))
        return filled
    book = body.array("f4", numbers[0]).astype(np.float32)
    if coding == "shared":
        width = numbers[1]
        indices = body.bits(n * width).reshape(n, width) @ (1 << np.arange(width)[::-1])
        return np.asarray(book[indices])
    if coding == "huffman":
        return np.asarray(book[body.stream(numbers[1], n)])
    if coding == "runs":
        _, codes, lengths, count = numbers
        runs = body.stream(lengths, count)
        filled, valued = np.zeros(n, np.float32), runs < LONGEST_RUN  # a longest run has no value behind it
        indices = body.stream(codes, int(valued.sum()))
        ends = (
            np.cumsum(runs + valued) - 1
        )  # of each run, the place of its last number, which is the value if it has one
        filled[ends[valued]] = book[indices]
        return filled
    raise ValueError(f"unknown coding {coding!r}: the file was written by another version")


def load(path: str | None = None) -> nn.Module:
    """The trained model in evaluation mode, for `predict` of `model.py`.

    path: of the packed file, by default `weights.packed` beside this file. Raises FileNotFoundError, ValueError.
    """
    here = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location("compressed_model", here / "model.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"there is no model.py in {here}; unpack the whole folder")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    model: nn.Module = code.build()
    model.load_state_dict(unpack(Path(path or here / "weights.packed").read_bytes()))
    return model.eval()
