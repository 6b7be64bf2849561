"""IDX and npz files, good and bad: what is read, and which sentence each fault gets."""

import contextlib
import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import (
    idx_bytes,
    labels,
    pixels,
    rules,
    shared_data,
    write_idx,
    write_npz,
    write_zip,
)
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read_npz(store: DataStore, path: Path) -> DatasetInfo:
    return ingest("npz", path, name="sample", store=store)


def read_idx(store: DataStore, *paths: Path) -> DatasetInfo:
    return ingest("idx", paths, name="sample", store=store)


# --- idx


def test_idx_from_a_folder_from_files_and_from_one_archive(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "source")
    files = sorted(folder.iterdir())
    archive = write_zip(tmp_path / "all.zip", {f"mnist/{f.name}": f.read_bytes() for f in files})
    infos = [
        ingest("idx", sources, name="sample", store=DataStore(tmp_path / str(number)))
        for number, sources in enumerate[Path | list[Path]]((folder, files, archive))
    ]
    assert len({info.sha256 for info in infos}) == 1
    assert infos[0].parts == {"train": (0, 60), "test": (60, 90)}
    assert infos[0].report["ignored_files"] == ["README.md"]


@pytest.mark.heavy
def test_fashion_mnist_as_published(tmp_path: Path) -> None:
    info = read_idx(DataStore(tmp_path), shared_data("fashion_mnist"))
    assert (info.input_shape, info.train, info.val, info.test) == ((1, 28, 28), 51_000, 9_000, 10_000)
    opened = DataStore(tmp_path).open("sample", seed=0)
    assert opened.mean[0] / 255 == pytest.approx(0.2860, abs=0.001)
    assert opened.std[0] / 255 == pytest.approx(0.3530, abs=0.001)


def test_label_file_of_another_length_names_both_counts(tmp_path: Path, store: DataStore) -> None:
    folder = write_idx(tmp_path / "source")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels(59)))
    with pytest.raises(InvalidDataset) as caught:
        read_idx(store, folder)
    (fault,) = caught.value.faults
    assert (fault.rule, fault.pointer) == ("length_mismatch", "/files/train-labels-idx1-ubyte")
    assert "59 labels" in fault.detail
    assert "60 samples" in fault.detail


def idx_file(*, head: bytes = b"\0\0\x08\x03", sizes: tuple[int, ...] = (60, 6, 5), body: int = 1800) -> bytes:
    return head + b"".join(struct.pack(">I", size) for size in sizes) + bytes(body)


BAD_IDX = {
    "empty": (b"", "file_empty"),
    "wrong magic": (idx_file(head=b"\x89PNG"), "idx_header_invalid"),
    "type byte 07": (idx_file(head=b"\0\0\x07\x03"), "idx_header_invalid"),
    "no dimensions": (idx_file(head=b"\0\0\x08\0", sizes=()), "idx_header_invalid"),
    "five dimensions": (idx_file(head=b"\0\0\x08\x05", sizes=(60, 1, 6, 5, 1)), "idx_header_invalid"),
    "labels for images": (idx_file(head=b"\0\0\x08\x01", sizes=(60,), body=60), "idx_header_invalid"),
    "ends in the header": (b"\0\0\x08\x03\0\0", "array_truncated"),
    "product overflows": (idx_file(sizes=(2**31, 2**31, 2)), "array_too_large"),
    "no samples": (idx_file(sizes=(0, 6, 5), body=0), "shape_invalid"),
    "short": (idx_file(body=1799), "array_truncated"),
    "long": (idx_file(body=1801), "trailing_bytes"),
    "gzip cut off": (gzip.compress(idx_file())[:-6], "gzip_invalid"),
    "gzip twice": (gzip.compress(idx_file()) * 2, "gzip_invalid"),
    "gzip flipped": (gzip.compress(os.urandom(2000))[:-8] + bytes(8), "gzip_invalid"),
    "gzip bomb": (gzip.compress(bytes(80 * 1024**2)), "expands_too_much"),
}


@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_image_files(tmp_path: Path, store: DataStore, case: str) -> None:
    content, rule = BAD_IDX[case]
    folder = write_idx(tmp_path / "source")
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(InvalidDataset) as caught:
        read_idx(store, folder)
    assert rules(caught) == {rule}
    assert caught.value.faults[0].pointer == "/files/train-images-idx3-ubyte.gz"
    assert store.names() == ["digits"]
    assert not list(store.root.iterdir())


@pytest.mark.parametrize(
    ("name", "rule"),
    [("train-labels-idx1-ubyte", "labels_missing"), ("t10k-images-idx3-ubyte.gz", "images_missing")],
)
def test_a_file_without_its_other_half(tmp_path: Path, store: DataStore, name: str, rule: str) -> None:
    folder = write_idx(tmp_path / "source")
    (folder / name).unlink()
    with pytest.raises(InvalidDataset) as caught:
        read_idx(store, folder)
    assert rules(caught) == {rule}


def test_two_files_for_one_role_and_no_file_at_all(tmp_path: Path, store: DataStore) -> None:
    folder = write_idx(tmp_path / "source")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels(60))))
    with pytest.raises(InvalidDataset, match="both labels"):
        read_idx(store, folder)
    for sources in ([], [tmp_path / "nowhere"], [tmp_path]):
        with pytest.raises(InvalidDataset):
            read_idx(store, *sources)


# --- npz


def test_content_counts_not_how_it_is_stored(tmp_path: Path) -> None:
    x, y = pixels(30, 4, 6), labels(30)
    ways = {
        "plain": {"x": x, "y": y},
        "fortran": {"x": np.asfortranarray(x), "y": y},
        "big-endian": {"x": x.astype(">i2"), "y": y.astype(">i8")},
        "channel first": {"x": x[:, None], "y": y[:, None]},
        "channel last": {"x": x[..., None], "y": y.astype(np.float32)},
        "keras": {"x_train": x, "y_train": y},
    }
    digests = {
        way: read_npz(DataStore(tmp_path / way), write_npz(tmp_path / f"{way}.npz", **arrays)).sha256
        for way, arrays in ways.items()
    }
    assert len(set(digests.values())) == 1, digests


def test_booleans_floats_and_large_integers(tmp_path: Path) -> None:
    y = labels(30)
    for name, x, dtype in (
        ("bool", pixels(30, 4, 4) > 100, "uint8"),
        ("half", pixels(30, 4, 4).astype(np.float16), "float32"),
        ("int", pixels(30, 4, 4).astype(np.int32) - 5, "float32"),
    ):
        assert read_npz(DataStore(tmp_path / name), write_npz(tmp_path / f"{name}.npz", x=x, y=y)).dtype == dtype


def test_names_of_classes_and_odd_labels(tmp_path: Path, store: DataStore) -> None:
    y = labels(30)
    y[y == 1] = 3
    path = write_npz(tmp_path / "a.npz", x=pixels(30, 4, 4), y=y, class_names=np.array(["a", "b", "c", "d"]), more=y)
    info = read_npz(store, path)
    assert info.class_names == ("a", "b", "c", "d")
    assert info.report["ignored_files"] == ["more"]
    assert info.report["warnings"] == ["class b has no training samples"]


def good() -> dict[str, Any]:
    return {"x": pixels(30, 4, 4), "y": labels(30)}


def with_(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in {**good(), **changes}.items() if v is not None}


FLOATS = pixels(30, 4, 4).astype(np.float32)
FLOATS[7, 1, 2] = np.nan
BAD_ARRAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unicode": (with_(x=np.full((30, 4, 4), "a")), "dtype_unsupported", "x"),
    "complex": (with_(x=np.ones((30, 4, 4), complex)), "dtype_unsupported", "x"),
    "structured": (with_(x=np.zeros((30, 4, 4), [("a", "u1")])), "dtype_unsupported", "x"),
    "long double": (with_(x=np.ones((30, 4, 4), np.longdouble)), "dtype_unsupported", "x"),
    "dates": (with_(x=np.zeros((30, 4, 4), "M8[s]")), "dtype_unsupported", "x"),
    "feature table": (with_(x=pixels(30, 16)), "shape_invalid", "x"),
    "volumes without few channels": (with_(x=pixels(30, 5, 8, 8, 8)), "shape_invalid", "x"),
    "volumes too large": (with_(x=np.zeros((30, 1, 2, 2, 257), np.uint8)), "shape_invalid", "x"),
    "no dimension": (with_(x=np.uint8(3)), "shape_invalid", "x"),
    "seven dimensions": (with_(x=pixels(30, 1, 1, 1, 1, 1, 1)), "shape_invalid", "x"),
    "no samples": (with_(x=pixels(0, 4, 4)), "shape_invalid", "x"),
    "not finite": (with_(x=FLOATS), "values_not_finite", "a.npz"),
    "no x": (with_(x=None, z=labels(30)), "array_missing", "a.npz"),
    "no y": (with_(y=None), "array_missing", "a.npz"),
    "x twice": (with_(images=pixels(30, 4, 4)), "array_duplicate", "a.npz"),
    "lengths": (with_(y=labels(29)), "length_mismatch", "y"),
    "negative": (with_(y=np.array([0, 1, -1] * 10)), "labels_invalid", "y"),
    "not a number": (with_(y=np.array([0, 1, np.nan] * 10)), "values_not_finite", "y"),
    "huge": (with_(y=np.array([0, 1, 1e300] * 10)), "labels_invalid", "y"),
    "several a sample": (with_(y=np.ones((30, 3), np.uint8)), "too_few_classes", ""),
    "one class": (with_(y=np.zeros(30, np.uint8)), "too_few_classes", ""),
    "few samples": (with_(x=pixels(4, 4, 4), y=np.arange(4)), "too_few_samples", ""),
    "names too few": (with_(class_names=np.array(["a", "b"])), "labels_invalid", "class_names"),
    "splits differ": (with_(x_test=pixels(5, 4, 5), y_test=labels(5)), "shape_mismatch", "a.npz"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, store: DataStore, case: str) -> None:
    arrays, rule, place = BAD_ARRAYS[case]
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, write_npz(tmp_path / "a.npz", **arrays))
    assert rules(caught) == {rule}
    assert caught.value.faults[0].pointer == (f"/files/{place}" if place else "")
    assert store.names() == ["digits"]


def npy(header: str, *, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + body


def header(shape: str = "(30, 4, 4)", descr: str = "'|u1'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


BAD_MEMBERS = {
    "asks for 3.6 TiB": (npy(header("(1000000, 1000000)", "'<f4'")), "array_too_large"),
    "overflows": (npy(header("(4294967296, 4294967296, 0)")), "shape_invalid"),
    "short": (npy(header(), body=bytes(479)), "array_truncated"),
    "long": (npy(header(), body=bytes(481)), "array_truncated"),
    "negative": (npy(header("(-30, 4, 4)"), body=bytes(480)), "shape_invalid"),
    "long header": (npy(header() + " " * 200_000, version=b"\x02\x00"), "npz_header_invalid"),
    "code": (npy("{'descr': __import__('os').system('false'), 'shape': ()}"), "npz_header_invalid"),
    "brackets": (npy("(" * 9_000), "npz_header_invalid"),
    "version 9": (npy(header(), version=b"\x09\x00"), "npz_header_invalid"),
    "no array": (b"hello", "npz_header_invalid"),
    "nothing": (b"", "npz_header_invalid"),
    "objects": (npy(header("(1,)", "'|O'"), body=bytes(8)), "npz_object_array"),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_bad_headers(tmp_path: Path, store: DataStore, case: str) -> None:
    content, rule = BAD_MEMBERS[case]
    y = io.BytesIO()
    np.save(y, labels(30))
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, write_zip(tmp_path / "a.npz", {"x.npy": content, "y.npy": y.getvalue()}))
    assert rules(caught) == {rule}


class Marker:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def test_no_pickle_is_ever_run(tmp_path: Path, store: DataStore) -> None:
    import pickle

    marker = tmp_path / "ran"
    objects = np.array([Marker(marker)] * 30, dtype=object)
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, write_npz(tmp_path / "a.npz", x=objects, y=labels(30)))
    assert rules(caught) == {"npz_object_array"}
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Marker(marker)))
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, tmp_path / "b.npz")
    assert rules(caught) == {"format_refused"}
    assert not marker.exists()


@pytest.mark.parametrize(("cut", "rule"), [(0, "file_empty"), (2, "format_mismatch"), (300, "archive_invalid")])
def test_an_upload_cut_off(tmp_path: Path, store: DataStore, cut: int, rule: str) -> None:
    path = write_npz(tmp_path / "a.npz", **good())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, path)
    assert rules(caught) == {rule}


def test_flipped_bytes_are_seen(tmp_path: Path, store: DataStore) -> None:
    path = write_npz(tmp_path / "a.npz", **good())
    content = path.read_bytes()
    for at in range(40, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        with contextlib.suppress(InvalidDataset):
            assert sum(read_npz(DataStore(tmp_path / f"store{at}"), path).counts) == 30


AXES = {
    (9, 8): (1, 9, 8),
    (9, 8, 3): (3, 9, 8),
    (3, 9, 8): (3, 9, 8),
    (3, 9, 4): (4, 3, 9),
    (5, 9, 8): (5, 9, 8),
    (9, 8, 5): (5, 9, 8),
    (16, 17, 17): (16, 17, 17),
    (17, 18, 16): (16, 17, 18),
    (17, 18, 17): (1, 17, 18, 17),
    (30, 6, 20): (1, 30, 6, 20),
    (8, 8, 8): (1, 8, 8, 8),
    (2, 5, 9, 8): (2, 5, 9, 8),
    (5, 9, 8, 2): (2, 5, 9, 8),
    (1, 3, 4, 5): (1, 3, 4, 5),
    (2, 3, 4, 4): (4, 2, 3, 4),
}


@pytest.mark.parametrize("axes", AXES)
def test_what_the_axes_mean(store: DataStore, tmp_path: Path, axes: tuple[int, ...]) -> None:
    info = read_npz(store, write_npz(tmp_path / "a.npz", x=pixels(30, *axes), y=labels(30)))
    kind = "volume" if len(AXES[axes]) == 4 else "image"
    assert (info.input_shape, info.kind, info.tasks) == (AXES[axes], kind, (kind,))


def test_volumes_are_the_same_with_and_without_their_channel(tmp_path: Path) -> None:
    x, y = pixels(30, 17, 19, 18), labels(30)
    ways = {"none": x, "first": x[:, None], "last": x[..., None], "floats of another store": x.astype(">i4")}
    digests = {
        read_npz(DataStore(tmp_path / way), write_npz(tmp_path / f"{way}.npz", x=given, y=y)).sha256
        for way, given in ways.items()
    }
    assert len(digests) == 1


def test_volumes_are_not_scaled(store: DataStore, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x=pixels(30, 5, 6, 7), y=labels(30))
    with pytest.raises(InvalidDataset, match="volumes and graphs stay") as caught:
        ingest("npz", path, name="sample", store=store, image_size=8)
    assert caught.value.faults[0].pointer == "/image_size"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("file", "side"), [("adrenalmnist3d.npz", 28), pytest.param("adrenalmnist3d_64.npz", 64, marks=pytest.mark.slow)]
)
def test_volumes_as_published(tmp_path: Path, file: str, side: int) -> None:
    """The larger file unpacks to 222 times its size, more than any picture may."""
    info = read_npz(DataStore(tmp_path), shared_data("adrenalmnist3d", file))
    assert (info.kind, info.input_shape, info.dtype) == ("volume", (1, side, side, side), "uint8")
    assert (info.train, info.val, info.test, info.counts) == (1188, 98, 298, (1234, 350))
    data = DataStore(tmp_path).open("sample", seed=0)
    assert data.search_val.x.shape == (98, 1, side, side, side)
    share = data.mean[0] / 255
    assert data.std[0] / 255 == pytest.approx((share * (1 - share)) ** 0.5), "values are 0 and 255 only"


@pytest.mark.heavy
def test_a_bomb_is_stopped_before_it_is_unpacked(tmp_path: Path, store: DataStore) -> None:
    path = write_npz(tmp_path / "a.npz", x=np.zeros((100_000, 32, 32), np.uint8), y=labels(100_000))
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, path)
    assert rules(caught) == {"expands_too_much"}


def test_other_zip_archives(tmp_path: Path, store: DataStore) -> None:
    for members, rule in (
        ({"a/b.png": b"x"}, "format_mismatch"),
        ({"x.npy": b"", "inner.npz": b""}, "archive_nested"),
        ({"../x.npy": b""}, "path_unsafe"),
    ):
        with pytest.raises(InvalidDataset) as caught:
            read_npz(store, write_zip(tmp_path / "a.npz", members))
        assert rules(caught) == {rule}
    write_zip(tmp_path / "a.npz", {"x.npy": b"1"}, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(InvalidDataset) as caught:
        read_npz(store, tmp_path / "a.npz")
    assert rules(caught) == {"compression_unsupported"}


def test_a_graph_is_not_taken_for_pictures(store: DataStore) -> None:
    info = read_npz(store, shared_data("cora", "cora.npz"))
    assert (info.kind, info.format, info.tasks) == ("graph", "graph", ("nodes", "links"))
