"""Formats of arrays, tables and volumes: what is read from good files, and why others are refused."""

import gzip
import pickle
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith import formats
from archsmith.errors import InvalidDataset
from tests.unit.workers.array_sources import (
    CIFAR_NAMES,
    COLOURS,
    SOURCES,
    X,
    Y,
    cifar_files,
    hdf5_file,
    lines,
    mat_file,
    nifti_members,
    npy_files,
    records,
    stl_files,
    table_file,
)
from tests.unit.workers.sources import pixels, rules, write_idx, write_npz, write_zip
from workers.datasets import Dataset, DatasetInfo, DataStore
from workers.datasets.ingest import ingest

pytestmark = pytest.mark.heavy  # the libraries take a second to import, whichever test is the first


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def read(store: DataStore, files: Sequence[Path], kind: str | None = None, **options: Any) -> DatasetInfo:
    kind = kind or formats.guess(files)
    assert kind is not None
    return ingest(kind, files, name="sample", store=store, **options)


def opened(store: DataStore) -> Dataset:
    return store.open("sample", seed=0)


@pytest.mark.parametrize("name", SOURCES)
def test_each_format_is_guessed_and_read(store: DataStore, folder: Path, name: str) -> None:
    kind, write = SOURCES[name]
    files = write(folder)
    assert formats.guess(files) == kind
    info = read(store, files)
    assert info.format == kind
    assert min(info.counts) > 0
    assert info.report["corrupt_files"] == []
    assert len(opened(store).search_train) == info.train


@pytest.mark.parametrize("name", ["npy", "hdf5", "mat", "mat 7.3"])
def test_the_same_arrays_in_any_file(store: DataStore, folder: Path, name: str) -> None:
    info = read(store, SOURCES[name][1](folder))
    assert info.input_shape == (3, 8, 8)
    data = opened(store)
    assert (np.asarray(data.x) == np.moveaxis(COLOURS, 3, 1)).all()
    assert (data.y == Y).all()
    assert info.class_names == {"hdf5": ("cat", "dog", "owl"), "npy": ("0", "1", "2")}.get(name, ("1", "2", "3"))
    assert any("last axis" in text for text in info.report["warnings"]) == name.startswith("mat")


def test_npy_from_a_folder_and_a_graph_of_such(tmp_path: Path, folder: Path) -> None:
    npy_files(folder)
    (folder / "notes.txt").write_text("ours")
    info = read(DataStore(tmp_path / "a"), [folder], "npy")
    assert (info.parts, info.report["ignored_files"]) == ({"train": (0, 20), "test": (20, 30)}, ["notes.txt"])
    graph = tmp_path / "graph"
    graph.mkdir()
    ring = np.stack([np.arange(30), (np.arange(30) + 1) % 30])
    np.save(graph / "edge_index.npy", ring)
    np.save(graph / "y.npy", Y)
    assert read(DataStore(tmp_path / "b"), [graph], "npy").kind == "graph"


def test_cells_of_texts_are_labels(store: DataStore, folder: Path) -> None:
    import scipy.io

    scipy.io.savemat(folder / "a.mat", {"x": COLOURS, "y": np.array(["cat", "dog", "owl"], dtype=object)[Y][:, None]})
    assert read(store, [folder / "a.mat"]).class_names == ("cat", "dog", "owl")
    scipy.io.savemat(folder / "b.mat", {"dataset": {"x": COLOURS}, "x": COLOURS, "y": {"a": 1}})
    with pytest.raises(InvalidDataset, match="y holds struct"):
        ingest("mat", folder / "b.mat", name="other", store=store)


def test_hdf5_texts_of_any_length(store: DataStore, folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file["x"], file["y"] = X, np.array(["cat", "Möwe", "owl"], dtype=object)[Y]
    assert read(store, [folder / "a.h5"]).class_names == ("Möwe", "cat", "owl")


def test_hdf5_never_shows_other_files(tmp_path: Path, folder: Path) -> None:
    import h5py

    secret = folder / "secret"
    secret.write_bytes(bytes(30 * 64))
    with h5py.File(folder / "link.h5", "w") as file:
        file["x"], file["y"], file["z"] = X, Y, h5py.ExternalLink(str(secret), "x")
    with h5py.File(folder / "soft.h5", "w") as file:
        file["x"], file["y"], file["z"] = X, Y, h5py.SoftLink("/z")
    with h5py.File(folder / "outside.h5", "w") as file:
        file.create_dataset("x", shape=(30, 8, 8), dtype="u1", external=[(str(secret), 0, 30 * 64)])
        file["y"] = Y
    layout = h5py.VirtualLayout(shape=(30, 8, 8), dtype="u1")
    layout[:] = h5py.VirtualSource(str(folder / "soft.h5"), "x", shape=(30, 8, 8))
    with h5py.File(folder / "virtual.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
        file["y"] = Y
    for name in ("link", "soft", "outside", "virtual"):
        with pytest.raises(InvalidDataset) as caught:
            read(DataStore(tmp_path / name), [folder / f"{name}.h5"])
        assert rules(caught) == {"hdf5_link"}, name


def test_hdf5_that_would_fill_the_disk_is_refused(store: DataStore, folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", shape=(30_000, 64, 64), dtype="u1", chunks=(100, 64, 64))  # nothing is written
        file["y"] = np.zeros(30_000, np.uint8)
    with pytest.raises(InvalidDataset) as caught:
        read(store, [folder / "a.h5"])
    assert rules(caught) == {"expands_too_much"}


def test_cifar_as_published(tmp_path: Path, folder: Path) -> None:
    files = cifar_files(folder)
    info = read(DataStore(tmp_path / "a"), files)
    assert (info.class_names, info.parts) == (tuple(CIFAR_NAMES.split()), {"train": (0, 60), "test": (60, 80)})
    first = records(30, 1, 10, seed=30)[0]
    assert (opened(DataStore(tmp_path / "a")).x[0].reshape(-1) == first[1:]).all()
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(folder, "cifar-10-batches-bin")
    packed = read(DataStore(tmp_path / "b"), [tmp_path / "cifar-10-binary.tar.gz"])
    assert packed.sha256 == info.sha256


def test_cifar_100_has_the_fine_labels(store: DataStore, folder: Path) -> None:
    table = records(400, 2, 100)
    table[:, 0] //= 5
    (folder / "train.bin").write_bytes(table.tobytes())
    info = read(store, [folder / "train.bin"])
    assert (info.classes, info.counts) == (100, (4,) * 100)
    assert "coarse ones are left out" in info.report["warnings"][0]
    (folder / "train.bin").write_bytes(records(400, 1, 10).tobytes())  # of CIFAR-10, by another name
    with pytest.raises(InvalidDataset):
        ingest("cifar", [folder / "train.bin"], name="other", store=store)


def test_pictures_of_stl_stand_upright(store: DataStore, folder: Path) -> None:
    info = read(store, stl_files(folder))
    assert (info.class_names, info.input_shape) == (("1", "2", "3"), (3, 96, 96))
    assert (np.asarray(opened(store).x[:12]) == pixels(12, 3, 96, 96, seed=12).swapaxes(2, 3)).all()


# --- tables


def write(folder: Path, name: str, *rows: Any) -> Path:
    (folder / name).write_text(lines(*rows))
    return folder / name


def flat(number: int) -> list[int]:
    return [int(value) for value in X[number].reshape(-1)]


PLACES = [f"{row}x{column}" for row in range(1, 9) for column in range(1, 9)]
TABLES: dict[str, list[list[Any]]] = {
    "label last": [[*(f"pixel{i:04d}" for i in range(64)), "label"], *([*flat(i), Y[i]] for i in range(30))],
    "rows and columns": [["label", *PLACES], *([Y[i], *flat(i)] for i in range(30))],
    "from 1, out of order": [
        ["label", *(f"pixel{i}" for i in range(64, 0, -1))],
        *([Y[i], *flat(i)[::-1]] for i in range(30)),
    ],
    "no names": [[Y[i], *flat(i)] for i in range(30)],
    "in one column": [["emotion", "pixels"], *([Y[i], " ".join(map(str, flat(i)))] for i in range(30))],
    "with another column": [["id", "label", *PLACES], *([f"a{i}", Y[i], *flat(i)] for i in range(30))],
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_pixels(store: DataStore, folder: Path, case: str) -> None:
    info = read(store, [write(folder, "a.csv", *TABLES[case])])
    assert (info.input_shape, info.class_names, info.dtype) == ((1, 8, 8), ("0", "1", "2"), "uint8")
    assert (np.asarray(opened(store).x[:, 0]) == X).all()
    assert (opened(store).y == Y).all()


def test_tables_with_a_split(tmp_path: Path, folder: Path) -> None:
    usage = ["Training"] * 18 + ["PublicTest"] * 6 + ["PrivateTest"] * 6
    rows = [["emotion", "pixels", "Usage"], *([Y[i], " ".join(map(str, flat(i))), usage[i]] for i in range(30))]
    info = read(DataStore(tmp_path / "a"), [write(folder, "a.csv", *rows)])
    assert (info.train, info.val, info.test) == (18, 6, 6)
    heads = ["label", *PLACES]
    train = write(folder, "mnist_train.csv", heads, *([Y[i], *flat(i)] for i in range(20)))
    test = write(folder, "mnist_test.csv", heads, *([Y[i], *flat(i)] for i in range(20, 30)))
    info = read(DataStore(tmp_path / "b"), [test, train])
    assert info.parts == {"train": (0, 20), "test": (20, 30)}
    unlabelled = write(folder, "test.csv", PLACES, *(flat(i) for i in range(5)))
    info = read(DataStore(tmp_path / "c"), [train, unlabelled])
    assert "test.csv has no column of labels" in info.report["warnings"][0]


def test_three_values_a_pixel_lie_together_and_that_is_said(store: DataStore, folder: Path) -> None:
    heads = ["label", *(f"pixel{i}" for i in range(192))]
    rows = ([Y[i], *COLOURS[i].reshape(-1)] for i in range(30))
    info = read(store, [write(folder, "a.csv", heads, *rows)])
    assert info.input_shape == (3, 8, 8)
    assert "(H, W, C)" in info.report["warnings"][0]
    assert (np.asarray(opened(store).x) == np.moveaxis(COLOURS, 3, 1)).all()


BAD_TABLES: dict[str, tuple[list[list[Any]], str]] = {
    "features, four of them": ([["a", "b", "c", "d", "class"], *([1, 2, 3, 4, y] for y in Y)], "a table of features"),
    "no label": ([PLACES, *(flat(i) for i in range(30))], "no column of labels"),
    "four numbers": ([[1, 2, 3, 4, y] for y in Y], "no line of column names"),
    "a gap": ([["label", "pixel0", "pixel2"], *([y, 1, 2] for y in Y)], "without gaps"),
    "no square": ([["label", "pixel0", "pixel1"], *([y, 1, 2] for y in Y)], "no square"),
    "uneven": ([["label", *PLACES], [1, *flat(0)], [1, 2]], "Expected 65 columns"),
    "no number": ([["label", *PLACES], [1, *flat(0)[1:], "x"]], "invalid value 'x'"),
    "an empty cell": ([["label", *PLACES], [1, *flat(0)[1:], ""]], "empty or not finite pixel in row 1"),
    "a name twice": ([["label", "pixel0", "pixel0"]], "different names"),
    "semicolons": ([["label;pixel0;pixel1"], ["1;2;3"]], "by semicolons"),
    "no rows": ([["label", *PLACES]], "no line below"),
    "an unknown split": ([["label", "split", *PLACES], *([Y[i], "fold1", *flat(i)] for i in range(30))], "fold1"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_are_refused(store: DataStore, folder: Path, case: str) -> None:
    rows, text = BAD_TABLES[case]
    with pytest.raises(InvalidDataset, match=text.replace("(", r"\(")):
        read(store, [write(folder, "a.csv", *rows)])


# --- volumes


def test_volumes_with_a_table_of_labels(store: DataStore, folder: Path) -> None:
    members = {f"vol/{n.split('/')[1][:-3]}": gzip.decompress(content) for n, content in nifti_members().items()}
    rows = [["file", "label", "split"], *([f"{i}.nii", "ab"[i % 2], "test" if i > 7 else "train"] for i in range(12))]
    info = read(store, [write_zip(folder / "a.zip", members | {"labels.csv": lines(*rows).encode()})])
    assert (info.kind, info.input_shape, info.class_names, info.test) == ("volume", (1, 6, 7, 8), ("a", "b"), 4)


def test_a_damaged_volume_is_left_out_and_named_and_three_are_too_many(tmp_path: Path, folder: Path) -> None:
    members = nifti_members() | {"ad/x.nii.gz": b"hello"}
    info = read(DataStore(tmp_path / "a"), [write_zip(folder / "a.zip", members)])
    assert (sum(info.counts), info.report["corrupt_files"]) == (12, ["ad/x.nii.gz"])
    members |= {"ad/y.nii.gz": gzip.compress(b"x" * 400), "cn/z.nii": b""}
    with pytest.raises(InvalidDataset) as caught:
        read(DataStore(tmp_path / "b"), [write_zip(folder / "b.zip", members)])
    assert len(caught.value.faults) == 3


def test_volumes_of_two_shapes_are_refused(store: DataStore, folder: Path) -> None:
    import nibabel

    image: Any = nibabel.Nifti1Image
    other = image(np.zeros((6, 7, 9), np.float32), np.eye(4)).to_bytes()
    with pytest.raises(InvalidDataset, match="resample") as caught:
        read(store, [write_zip(folder / "a.zip", nifti_members() | {"ad/x.nii": other})])
    assert caught.value.faults[0].pointer == "/files/ad~1x.nii"


# --- what is never read, and options


def test_pickles_and_their_like_are_refused_with_what_to_do(tmp_path: Path, folder: Path) -> None:
    for name, content, text in (
        ("a.pkl", pickle.dumps({"x": 1}), "numpy.savez_compressed"),
        ("data_batch_1", pickle.dumps({"data": b"1"}, protocol=2), "binary version"),
        ("a.bin", pickle.dumps([1, 2], protocol=4), "Python pickle"),
        ("a.pt", b"PK\x03\x04", "torch.save"),
        ("a.dcm", bytes(128) + b"DICM", "dcm2niix"),
        ("b.dat", bytes(128) + b"DICM", "dcm2niix"),
    ):
        (folder / name).write_bytes(content)
        for kind in ("npz", "images", "cifar", "hdf5"):
            with pytest.raises(InvalidDataset, match=text) as caught:
                read(DataStore(tmp_path / "store"), [folder / name], kind)
            assert rules(caught) == {"format_refused"}
    path = write_zip(folder / "b.zip", {"archive/data.pkl": b"x", "archive/version": b"3"})
    with pytest.raises(InvalidDataset, match=r"torch\.save"):
        read(DataStore(tmp_path / "store"), [path])
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder / "data_batch_1", "cifar-10-batches-py/data_batch_1")
    with pytest.raises(InvalidDataset, match=r"cifar-10-binary\.tar\.gz"):
        read(DataStore(tmp_path / "store"), [folder / "cifar-10-python.tar.gz"], "cifar")
    assert formats.guess([folder / "a.pkl"]) is not None, "so that the service is asked, and says why"


def test_options_that_a_format_does_not_know_are_refused(store: DataStore, folder: Path) -> None:
    path = write_npz(folder / "a.npz", x=X, y=Y)
    for option in ({"image_size": 8}, {"transpose": True}):
        with pytest.raises(InvalidDataset) as caught:
            read(store, [path], **option)
        assert rules(caught) == {"combination_unsupported"}
        assert caught.value.faults[0].pointer == f"/{next(iter(option))}"


def test_idx_turned_upright(tmp_path: Path, folder: Path) -> None:
    source = write_idx(folder / "idx")
    for name, turned in (("a", False), ("b", True)):
        read(DataStore(tmp_path / name), [source], "idx", transpose=turned)
    a, b = (opened(DataStore(tmp_path / name)).x for name in "ab")
    assert (np.asarray(a).swapaxes(2, 3) == b).all()


def test_files_beside_do_not_disturb(store: DataStore, folder: Path) -> None:
    mat_file(folder, compressed=False)
    hdf5_file(folder)
    table_file(folder)
    with pytest.raises(InvalidDataset, match="one file"):
        read(store, [folder / "a.mat", folder / "a.h5"], "mat")
