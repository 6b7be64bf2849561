"""Small data set files for tests: good ones, and the means to break them."""

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archsmith.errors import InvalidDataset


def shared_data(*parts: str) -> Path:
    """A file of the real data sets; skips the test where they are not."""
    root = Path(os.environ.get("ARCHSMITH_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {'/'.join(parts)}: set ARCHSMITH_DATA to the folder of real data sets")
    return path.resolve()


def pixels(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, classes: int = 3) -> np.ndarray:
    return (np.arange(count) % classes).astype(np.uint8)


def idx_bytes(array: np.ndarray, *, kind: int = 0x08) -> bytes:
    return struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, *, train: int = 60, test: int = 30) -> Path:
    """A folder in the way of MNIST, half of it gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        images, y = pixels(count, 6, 5, seed=count), labels(count)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    (folder / "README.md").write_text("ours")
    return folder


def write_npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def write_zip(path: Path, members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def picture(
    seed: int = 0, *, size: tuple[int, int] = (12, 9), mode: str = "RGB", kind: str = "PNG", **how: Any
) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(out, kind, **how)
    return out.getvalue()


def class_folders(*, classes: int = 2, each: int = 6, prefix: str = "", **how: Any) -> dict[str, bytes]:
    return {
        f"{prefix}class{label}/{number}.png": picture(100 * label + number + len(prefix), **how)
        for label in range(classes)
        for number in range(each)
    }


def rules(caught: pytest.ExceptionInfo[InvalidDataset]) -> set[str]:
    assert all(fault.detail and "\n" not in fault.detail for fault in caught.value.faults)
    return {fault.rule for fault in caught.value.faults}
