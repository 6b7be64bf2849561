"""Small good files of each format of arrays, tables and volumes, with the pictures and labels that are in them."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.workers.sources import labels, picture, pixels, write_idx, write_npz, write_zip

X, Y = pixels(30, 8, 8), labels(30)
COLOURS = pixels(30, 8, 8, 3, seed=1)
CIFAR_NAMES = "airplane automobile bird cat deer dog frog horse ship truck"


def npy_files(folder: Path) -> list[Path]:
    for name, array in {"x_train": COLOURS[:20], "y_train": Y[:20], "x_test": COLOURS[20:], "y_test": Y[20:]}.items():
        np.save(folder / f"{name}.npy", array)
    return sorted(folder.glob("*.npy"))


def hdf5_file(folder: Path) -> list[Path]:
    """Texts of one length: HDF5's library reads damaged ones of any length for ever, until the time limit of a read."""
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("train/x", data=COLOURS, compression="gzip")
        file["train/y"] = np.array([b"cat", b"dog", b"owl"])[Y]
    return [folder / "a.h5"]


def mat_file(folder: Path, *, compressed: bool = True) -> list[Path]:
    import scipy.io

    arrays = {"X": np.moveaxis(COLOURS, 0, -1), "y": (Y + 1)[:, None]}
    scipy.io.savemat(folder / "a.mat", arrays, do_compression=compressed)
    return [folder / "a.mat"]


def mat73_file(folder: Path) -> list[Path]:
    import h5py

    path = folder / "b.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["X"] = np.moveaxis(COLOURS, 0, -1).T
        file["y"] = (Y + 1)[None, :]
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + content[512:])
    return [path]


def records(count: int, labels_each: int, classes: int, *, seed: int = 0) -> np.ndarray:
    table = np.random.default_rng(seed).integers(0, 256, (count, labels_each + 3072), dtype=np.uint8)
    table[:, :labels_each] = (np.arange(count) % classes)[:, None]
    return table


def cifar_files(folder: Path) -> list[Path]:
    for name, count in (("data_batch_1", 30), ("data_batch_2", 30), ("test_batch", 20)):
        (folder / f"{name}.bin").write_bytes(records(count, 1, 10, seed=count).tobytes())
    (folder / "batches.meta.txt").write_text(CIFAR_NAMES.replace(" ", "\n") + "\n\n")
    return sorted(folder.iterdir())


def stl_files(folder: Path) -> list[Path]:
    for part, count in (("train", 12), ("test", 6)):
        (folder / f"{part}_X.bin").write_bytes(pixels(count, 3, 96, 96, seed=count).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes(1 + i % 3 for i in range(count)))
    return sorted(folder.iterdir())


def lines(*rows: Any) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def table_file(folder: Path) -> list[Path]:
    heads = ["label", *(f"pixel{number}" for number in range(64))]
    (folder / "train.csv").write_text(lines(heads, *([y, *x.reshape(-1)] for x, y in zip(X, Y, strict=True))))
    return [folder / "train.csv"]


def parquet_files(folder: Path) -> list[Path]:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"bytes": picture(number), "path": f"{number}.png"} for number in range(30)]
    names = {"info": {"features": {"label": {"names": ["x", "y", "z"], "_type": "ClassLabel"}}}}
    table = pa.table({"image": rows, "label": Y.astype(np.int64)})
    table = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    for name, part in (("train", table.slice(0, 21)), ("test", table.slice(21))):
        parquet.write_table(part, folder / f"{name}-00000-of-00001.parquet")
    return sorted(folder.iterdir())


def nifti_members(count: int = 12) -> dict[str, bytes]:
    import nibabel

    image: Any = nibabel.Nifti1Image
    found = {}
    for number in range(count):
        values = np.random.default_rng(number).normal(size=(6, 7, 8)).astype(np.float32)
        found[f"{'ad' if number % 2 else 'cn'}/{number}.nii.gz"] = gzip.compress(image(values, np.eye(4)).to_bytes())
    return found


def nifti_file(folder: Path) -> list[Path]:
    return [write_zip(folder / "volumes.zip", nifti_members())]


def npz_file(folder: Path) -> list[Path]:
    return [write_npz(folder / "a.npz", x=COLOURS, y=Y, class_names=np.array(["a", "b", "c"]))]


def idx_files(folder: Path) -> list[Path]:
    write_idx(folder)
    return sorted(path for path in folder.iterdir() if path.suffix != ".md")


SOURCES: Mapping[str, tuple[str, Callable[[Path], list[Path]]]] = {
    "npz": ("npz", npz_file),
    "idx": ("idx", idx_files),
    "npy": ("npy", npy_files),
    "hdf5": ("hdf5", hdf5_file),
    "mat": ("mat", mat_file),
    "mat 7.3": ("mat", mat73_file),
    "cifar": ("cifar", cifar_files),
    "stl10": ("stl10", stl_files),
    "table": ("table", table_file),
    "parquet": ("parquet", parquet_files),
    "nifti": ("nifti", nifti_file),
}
"""Name -> the format that is guessed, and what writes the files into an empty folder."""
