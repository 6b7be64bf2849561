"""Packed weights: every coding restores every bit, and each is chosen where it is the smallest."""

import json
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.effort import share
from workers.compress.loader import unpack
from workers.compress.packed import CODED, PLAIN, SHARED, SPARSE, identical, pack


def coding_of(packed: bytes) -> list[str]:
    """The codings of its tensors, read without the loader."""
    length = struct.unpack("<I", packed[8:12])[0]
    return [coding for _, _, coding, *_ in json.loads(zlib.decompress(packed[12 : 12 + length]))["tensors"]]


def clustered(*shape: int, zeros: float, values: int = 15, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    book = np.concatenate([[0.0], rng.normal(size=values)]).astype(np.float32)
    drawn = np.where(rng.random(shape) < zeros, 0, rng.integers(1, values + 1, shape))
    return torch.from_numpy(book[drawn])


@settings(max_examples=share(50), deadline=None)
@given(
    zeros=st.sampled_from([0.0, 0.3, 0.9, 0.997, 1.0]),
    values=st.integers(1, 300),
    shape=st.lists(st.integers(1, 24), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    codings=st.sampled_from([PLAIN, SPARSE, SHARED, CODED]),
)
def test_packing_restores_every_bit(
    zeros: float, values: int, shape: list[int], seed: int, codings: tuple[str, ...]
) -> None:
    weights = {
        "a.weight": clustered(*shape, zeros=zeros, values=values, seed=seed),
        "a.bias": torch.tensor([1.5, -0.0, float("inf"), 1e-30, 7e4]),
        "a.count": torch.tensor(seed),
        "b.weight": torch.randn(3, 5, generator=torch.Generator().manual_seed(seed)),
    }
    assert identical(unpack(pack(weights, codings)), weights)


@pytest.mark.parametrize(
    ("tensor", "coding"),
    [
        (torch.ones(500), "fill"),
        (torch.tensor(3), "int64"),
        (torch.randn(500).half().float(), "float16"),
        (torch.randn(500), "float32"),
        (torch.where(torch.rand(500) < 0.9, 0.0, torch.randn(500)), "sparse"),
        (clustered(4000, zeros=0, values=16), "shared"),
        (clustered(4000, zeros=0.5), "huffman"),
        (clustered(40_000, zeros=0.97), "runs"),
    ],
)
def test_the_smallest_coding_is_taken(tensor: Tensor, coding: str) -> None:
    assert coding_of(pack({"x": tensor}, CODED)) == [coding]


def test_long_runs_and_the_end_without_a_value() -> None:
    x = torch.zeros(5000)
    x[[0, 254, 255, 256, 600, 2400]] = torch.tensor([1.0, 2, 1, 3, 1, 2])
    assert coding_of(packed := pack({"x": x}, CODED)) == ["runs"]
    assert identical(unpack(packed), {"x": x})


def test_huffman_codes_come_near_the_entropy() -> None:
    """Within a bit per symbol, the bound of a code for single symbols (Huffman 1952), and 2 kB of tables."""
    x = clustered(100_000, zeros=0.8)
    entropy = -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.2 / 15))
    assert entropy * 100_000 / 8 <= len(pack({"x": x}, CODED)) < (entropy + 0.1) * 100_000 / 8 + 2000


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match="not a packed file"):
        unpack(b"PK" + bytes(100))
