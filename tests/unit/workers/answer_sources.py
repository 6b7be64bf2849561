"""Small good files of numbers, several labels and masks, of each format that has them."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from tests.unit.workers.array_sources import COLOURS, X, lines
from tests.unit.workers.graph_sources import tu_texts
from tests.unit.workers.sources import picture, write_npz, write_zip

N = 30
DECIMALS = np.round(np.arange(N) * 0.3 - 2, 2)
MARKS = np.stack([np.arange(N) % 2, np.arange(N) % 3 == 0], axis=1).astype(np.uint8)
MASKS = (COLOURS[..., 0] > 100).astype(np.uint8)


def mask_file(number: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(MASKS[number]).save(out, "PNG")
    return out.getvalue()


def pairs() -> dict[str, bytes]:
    shown = {f"images/{number}.png": picture(number, size=(8, 8)) for number in range(N)}
    return shown | {f"masks/{number}.png": mask_file(number) for number in range(N)}


def npz_numbers(folder: Path) -> list[Path]:
    return [write_npz(folder / "a.npz", x=COLOURS, y=DECIMALS)]


def npz_labels(folder: Path) -> list[Path]:
    return [write_npz(folder / "a.npz", x=COLOURS, y=MARKS, class_names=np.array(["a", "b"]))]


def npz_masks(folder: Path) -> list[Path]:
    return [write_npz(folder / "a.npz", x=COLOURS, masks=MASKS)]


def npy_numbers(folder: Path) -> list[Path]:
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", DECIMALS)
    return sorted(folder.glob("*.npy"))


def hdf5_masks(folder: Path) -> list[Path]:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", data=COLOURS, compression="gzip")
        file.create_dataset("masks", data=MASKS, compression="gzip")
    return [folder / "a.h5"]


def mat_numbers(folder: Path) -> list[Path]:
    import scipy.io

    scipy.io.savemat(folder / "a.mat", {"X": np.moveaxis(COLOURS, 0, -1), "y": DECIMALS[:, None]})
    return [folder / "a.mat"]


def table_numbers(folder: Path) -> list[Path]:
    heads = ["u", "v", *(f"pixel{number}" for number in range(64))]
    rows = ([value, number, *x.reshape(-1)] for number, (value, x) in enumerate(zip(DECIMALS, X, strict=True)))
    (folder / "a.csv").write_text(lines(heads, *rows))
    return [folder / "a.csv"]


def picture_table(folder: Path) -> list[Path]:
    shown = {f"p{number}.png": picture(number) for number in range(N)}
    rows = [[f"p{number}.png", value] for number, value in enumerate(DECIMALS)]
    return [write_zip(folder / "a.zip", {**shown, "labels.csv": lines(["file", "age"], *rows).encode()})]


def picture_words(folder: Path) -> list[Path]:
    shown = {f"p{number}.png": picture(number) for number in range(N)}
    words = ["|".join(word for word, on in zip("ab", row, strict=True) if on) for row in MARKS.tolist()]
    rows = [[f"p{number}.png", word] for number, word in enumerate(words)]
    return [write_zip(folder / "a.zip", {**shown, "labels.csv": lines(["file", "labels"], *rows).encode()})]


def picture_masks(folder: Path) -> list[Path]:
    return [write_zip(folder / "a.zip", pairs())]


def parquet_lists(folder: Path) -> list[Path]:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"bytes": picture(number), "path": f"{number}.png"} for number in range(N)]
    lists = [np.flatnonzero(row).tolist() for row in MARKS]
    names = {"info": {"features": {"labels": {"feature": {"names": ["x", "y"]}, "_type": "Sequence"}}}}
    table = pa.table({"image": rows, "labels": lists})
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(names)}), folder / "a.parquet")
    return [folder / "a.parquet"]


def parquet_masks(folder: Path) -> list[Path]:
    import pyarrow as pa
    from pyarrow import parquet

    shown = [{"bytes": picture(number, size=(8, 8)), "path": None} for number in range(N)]
    masks = [{"bytes": mask_file(number), "path": None} for number in range(N)]
    parquet.write_table(pa.table({"image": shown, "mask": masks}), folder / "a.parquet")
    return [folder / "a.parquet"]


def tu_numbers(folder: Path) -> list[Path]:
    members = tu_texts()
    del members["DS/DS_graph_labels.txt"]
    members["DS/DS_graph_attributes.txt"] = "".join(f"{number / 4}, {number}\n" for number in range(24)).encode()
    return [write_zip(folder / "a.zip", members)]


def graph_numbers(folder: Path) -> list[Path]:
    sizes = np.full(N, 3)
    graph = np.repeat(np.arange(N), sizes)
    at = np.arange(len(graph))
    edges = np.stack([at, at - at % 3 + (at + 1) % 3], axis=1)
    x = np.random.default_rng(0).normal(size=(len(graph), 2)).astype(np.float32)
    return [write_npz(folder / "a.npz", x=x, edges=edges, batch=graph, y=DECIMALS)]


ANSWER_SOURCES: Mapping[str, tuple[str, Callable[[Path], list[Path]]]] = {
    "npz numbers": ("npz", npz_numbers),
    "npz labels": ("npz", npz_labels),
    "npz masks": ("npz", npz_masks),
    "npy numbers": ("npy", npy_numbers),
    "hdf5 masks": ("hdf5", hdf5_masks),
    "mat numbers": ("mat", mat_numbers),
    "table numbers": ("table", table_numbers),
    "pictures with numbers": ("images", picture_table),
    "pictures with labels": ("images", picture_words),
    "pictures with masks": ("images", picture_masks),
    "parquet lists": ("parquet", parquet_lists),
    "parquet masks": ("parquet", parquet_masks),
    "tu numbers": ("tu", tu_numbers),
    "npz graphs": ("npz", graph_numbers),
}
"""Name -> the format, and what writes the files into an empty folder."""
