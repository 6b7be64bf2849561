"""Reads packed weights: `load()` gives the trained model. Needs torch and numpy only, and `model.py` beside it.

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
    shared    [k, b]: a book of k values, float32; then n numbers of b bits each, places in the book
    huffman   [k, c]: a book of k values, float32; then n places in the book as a coded stream with c codes
    runs      [k, c, d, m]: a book of k values, float32; then m runs of zeros as a coded stream with d codes; then a
              place in the book for each run with a value, as a coded stream with c codes. A run of r < 255 is r zeros
              and then a value, one of 255 is 255 zeros; what follows the last run is zeros

A coded stream is its codes, five bytes each: the symbol (1), the length of its code in bits (1), the code (3); then the
length of what follows in bytes (4); then the codes of the symbols, the highest bit first, filled up with zeros.
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
    """The bytes of the body, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, length: int) -> bytes:
        self.place += length
        return self.data[self.place - length : self.place]

    def array(self, dtype: str, count: int) -> np.ndarray:
        kind = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self.take(count * kind.itemsize), kind)

    def bits(self, count: int) -> np.ndarray:
        return np.unpackbits(self.array("u1", -(-count // 8)))[:count]

    def stream(self, codes: int, count: int) -> np.ndarray:
        """The next `count` symbols of a coded stream."""
        table = self.array("u1", 5 * codes).reshape(codes, 5).astype(np.int64)
        symbols, lengths, values = table[:, 0], table[:, 1], table[:, 2] + 256 * table[:, 3] + 65536 * table[:, 4]
        longest = int(lengths.max(initial=1))
        bits = np.unpackbits(self.array("u1", int(self.array("u4", 1)[0])))
        ahead = np.concatenate([bits, np.zeros(longest, np.uint8)])
        window = np.zeros(len(bits), np.int64)  # the bits from each place on, as many as the longest code has
        for place in range(longest):
            window = 2 * window + ahead[place : place + len(bits)]
        starts = values << (longest - lengths)
        order = np.argsort(starts)
        found = order[np.searchsorted(starts[order], window, side="right") - 1]  # the code that begins at each place
        steps, begins, place = lengths[found].tolist(), [], 0
        for _ in range(count):
            begins.append(place)
            place += steps[place]
        return symbols[found[begins]]


def unpack(data: bytes) -> dict[str, torch.Tensor]:
    """The state dict in a packed file."""
    if data[:8] != MAGIC:
        raise ValueError("these are no packed weights")
    start = 12 + int.from_bytes(data[8:12], "little")
    header = json.loads(zlib.decompress(data[12:start]))
    body = Body(data[start:])
    return {
        name: torch.from_numpy(values(body, coding, int(np.prod(shape)), numbers).reshape(shape))
        for name, shape, coding, *numbers in header["tensors"]
    }


def values(body: Body, coding: str, n: int, numbers: list[int]) -> np.ndarray:
    """The n values of the next tensor, in memory of their own."""
    if coding == "fill":
        return np.full(n, body.array("f4", 1)[0], np.float32)
    if coding == "int64":
        return body.array("i8", n).astype(np.int64)
    if coding in ("float16", "float32"):
        return body.array(coding, n).astype(np.float32)
    if coding == "sparse":
        filled = np.zeros(n, np.float32)
        there = body.bits(n) == 1
        filled[there] = body.array("f4", int(there.sum()))
        return filled
    book = body.array("f4", numbers[0]).astype(np.float32)
    if coding == "shared":
        width = numbers[1]
        places = body.bits(n * width).reshape(n, width) @ (1 << np.arange(width)[::-1])
        return np.asarray(book[places])
    if coding == "huffman":
        return np.asarray(book[body.stream(numbers[1], n)])
    if coding == "runs":
        _, codes, lengths, count = numbers
        runs = body.stream(lengths, count)
        filled, valued = np.zeros(n, np.float32), runs < LONGEST_RUN
        places = body.stream(codes, int(valued.sum()))
        ends = np.cumsum(runs + valued) - 1
        filled[ends[valued]] = book[places]
        return filled
    raise ValueError(f"there is no coding {coding!r}")


def load(path: str | None = None) -> nn.Module:
    """The trained model, ready to predict; `predict` of `model.py` takes it."""
    here = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location("compressed_model", here / "model.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("model.py must lie beside this file")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    model: nn.Module = code.build()
    model.load_state_dict(unpack(Path(path or here / "weights.packed").read_bytes()))
    return model.eval()
