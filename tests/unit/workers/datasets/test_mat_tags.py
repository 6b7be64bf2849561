"""Elements of MATLAB files that would end scipy's process are refused, and all that it can read passes."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy import io, sparse

from archsmith.errors import InvalidDataset
from workers.datasets import DataStore, mat_tags
from workers.datasets.ingest import ingest

FLAGS = 128 + 8 + 8
"""Place of the class of the first array in a file that is not compressed."""


def _mat(path: Path, *, compressed: bool = False, **arrays: object) -> Path:
    io.savemat(path, arrays, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_passes(tmp_path: Path, compressed: bool) -> None:
    path = _mat(
        tmp_path / "a.mat",
        compressed=compressed,
        numbers=np.arange(40_000.0).reshape(200, 200),
        small=np.array([1, 2], dtype=np.int8),
        complex=np.array([1 + 2j]),
        texts=np.array(["one", "another"]),
        sparse=sparse.eye(5, format="csc"),
        cells=np.array(["x", np.arange(3), np.empty(0)], dtype=object),
        record={"name": "x", "inner": {"value": 1.0}},
        empty=np.empty((0, 3)),
    )
    mat_tags.check(path)


def test_a_file_of_version_4_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    io.savemat(path, {"x": np.arange(6.0)}, format="4")
    mat_tags.check(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({FLAGS: 0}, "an array of class 0"),
        ({FLAGS: 99}, "an array of class 99"),
        ({FLAGS + 1: 0x08}, "an array of 3 elements, where 4 are expected"),
        ({FLAGS - 4: 0}, "an array of class 6"),
        ({FLAGS + 8: 8}, "an element of type 8"),
        ({128: 3}, "an element of type 3"),
        ({128 + 6: 255}, "an element of type 14"),
    ],
)
def test_unknown_elements_are_refused(tmp_path: Path, changes: dict[int, int], says: str) -> None:
    path = _mat(tmp_path / "a.mat", X=np.zeros((8, 8, 1, 30)), y=np.arange(30.0))
    content = bytearray(path.read_bytes())
    for place, value in changes.items():
        content[place] = value
    path.write_bytes(content)
    with pytest.raises(mat_tags.UnknownElement, match=says):
        mat_tags.check(path)
    with pytest.raises(InvalidDataset) as caught:
        ingest("mat", [path], name="x", store=DataStore(tmp_path / "store"))
    assert caught.value.faults[0].rule == "mat_invalid"


def test_an_array_that_says_it_grows_a_thousandfold_is_not_unpacked(tmp_path: Path) -> None:
    path = _mat(tmp_path / "a.mat", X=np.zeros((8, 8, 1, 30)), y=np.arange(30.0))
    packed = zlib.compress(struct.pack("<II", mat_tags.ARRAY, 2**31) + bytes(1000))
    path.write_bytes(path.read_bytes() + struct.pack("<II", mat_tags.COMPRESSED, len(packed)) + packed)
    with pytest.raises(InvalidDataset) as caught:
        mat_tags.check(path)
    assert caught.value.faults[0].rule in ("array_too_large", "expands_too_much")


def test_bytes_of_an_unknown_order_are_looked_at_as_scipy_would(tmp_path: Path) -> None:
    path = _mat(tmp_path / "a.mat", X=np.zeros((8, 8, 1, 30)))
    content = bytearray(path.read_bytes())
    content[126:128] = b"??"
    path.write_bytes(content)
    with pytest.raises(mat_tags.UnknownElement):
        mat_tags.check(path)


def test_a_compressed_array_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = _mat(tmp_path / "a.mat", compressed=True, X=np.random.default_rng(0).random((40, 40)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(mat_tags.UnknownElement):
        mat_tags.check(path)
