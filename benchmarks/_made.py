"""Data sets as files, as people have them, each with a test part of its own: for `benchmarks.by_command`.

Each function writes into a folder what is uploaded, and returns it with the test part and the answers to that.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks._sources import FASHION
from search.streams import Stream, generator
from workers.datasets.idx import read as read_idx

Array = npt.NDArray[Any]
TEST_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """upload: what the command is given. options: of `archsmith upload`. space: of the job; "" for the default.

    test: files for `archsmith predict`. truth: the answer to each row of its output: names of classes, numbers
    (N, targets), or masks (N, H, W).
    """

    upload: tuple[Path, ...]
    test: tuple[Path, ...]
    truth: Any
    options: tuple[str, ...] = ()
    space: str = ""


def photographs(data: Path, folder: Path) -> Made:
    """TrashNet as a folder: train/CLASS/FILE.jpg and test/CLASS/FILE.jpg."""
    root = folder / "photographs"
    test: list[tuple[Path, str]] = []
    for label, name, raw, tested in _trashnet(data):
        path = root / ("test" if tested else "train") / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        test += [(path, label)] if tested else []
    files, truth = zip(*test, strict=True)
    return Made(upload=(root,), test=files, truth=truth, options=("--image-size", "48"))


def table(data: Path, folder: Path) -> Made:
    """12,000 pictures of Fashion-MNIST as train.csv and test.csv: label,pixel1,…,pixel784."""
    x, y = _fashion(data, folder, 12_000)
    heads = ["label", *(f"pixel{i}" for i in range(1, 785))]
    rows = np.concatenate([y[:, None], x.reshape(len(x), -1)], axis=1)
    paths = []
    for name, part in (("train", rows[:10_000]), ("test", rows[10_000:])):
        paths.append(folder / f"{name}.csv")
        with paths[-1].open("w", newline="") as out:
            csv.writer(out).writerows([heads, *part.tolist()])
    return Made(upload=tuple(paths), test=(paths[1],), truth=[str(label) for label in y[10_000:]])


def parquet(data: Path, folder: Path) -> Made:
    """TrashNet as train.parquet and test.parquet, with columns image (bytes and path) and label."""
    import pyarrow as pa
    from pyarrow import parquet as files

    rows = list(_trashnet(data))
    paths, truth = [], [label for label, _, _, tested in rows if tested]
    for part in ("train", "test"):
        own = [row for row in rows if row[3] == (part == "test")]
        images = [{"bytes": raw, "path": name} for _, name, raw, _ in own]
        paths.append(folder / f"{part}.parquet")
        files.write_table(pa.table({"image": images, "label": [row[0] for row in own]}), paths[-1])
    return Made(upload=tuple(paths), test=(paths[1],), truth=truth, options=("--image-size", "32"))


def multispectral(data: Path, folder: Path) -> Made:  # generated
    """2,500 pictures of 8 channels and 16 bits: fields of one of five materials, told by their spectra, with noise."""
    rng = generator(Stream.DRAW, 0, 0, 1)
    y = rng.integers(0, 5, 2_500)
    spectra = rng.uniform(0.2, 0.8, (5, 8)) * 0.15 + 0.4
    light = rng.uniform(0.6, 1.4, (len(y), 1, 1, 1))
    texture = rng.normal(0, 0.12, (len(y), 8, 16, 16))
    x = (np.clip(spectra[y][:, :, None, None] * light + texture, 0, 1) * 4095).astype(np.uint16)
    names = np.array(["soil", "water", "crop", "forest", "roof"])
    path, test = folder / "fields.npz", folder / "fields_test.npy"
    np.savez(path, x_train=x[:2000], y_train=names[y[:2000]], x_test=x[2000:], y_test=names[y[2000:]])
    np.save(test, x[2000:])
    return Made(upload=(path,), test=(test,), truth=names[y[2000:]].tolist())


def regression(data: Path, folder: Path) -> Made:
    """Boots and shoes of Fashion-MNIST, turned by -60 to 60 degrees: how far."""
    x, labels = _fashion(data, folder, 20_000)
    shoes = x[np.isin(labels, (7, 9))][:3_000]
    angles = generator(Stream.DRAW, 0, 0, 2).uniform(-60, 60, len(shoes))
    turned = [
        Image.fromarray(one).rotate(angle, Image.Resampling.BILINEAR) for one, angle in zip(shoes, angles, strict=True)
    ]
    pictures, cut = np.stack([np.asarray(one) for one in turned]), len(shoes) * 4 // 5
    path, test = folder / "turned.npz", folder / "turned_test.npy"
    y = angles.astype(np.float32)
    np.savez(path, x_train=pictures[:cut], y_train=y[:cut], x_test=pictures[cut:], y_test=y[cut:])
    np.save(test, pictures[cut:])
    return Made(upload=(path,), test=(test,), truth=angles[cut:, None])


def series(data: Path, folder: Path) -> Made:  # generated
    """5,000 bursts in noise, 256 steps, as train.csv and test.csv, a series a line."""
    from benchmarks.series import CLASSES, bursts

    x, y = bursts(5_000, 0)
    names, paths = np.array(CLASSES)[y], []
    for part, rows in (("train", slice(0, 4_000)), ("test", slice(4_000, None))):
        paths.append(folder / f"{part}.csv")
        with paths[-1].open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["label", *(f"t{i}" for i in range(x.shape[2]))])
            for name, row in zip(names[rows], x[rows, 0].tolist(), strict=True):
                writer.writerow([name, *(f"{value:.5g}" for value in row)])
    return Made(
        upload=tuple(paths),
        test=(paths[1],),
        truth=names[4_000:].tolist(),
        options=("--kind", "series"),
        space="series",
    )


def segmentation(data: Path, folder: Path) -> Made:  # generated
    """200 pictures of shapes on stripes, with masks: train/images, train/masks, test/images, test/masks."""
    root = folder / "shapes"
    x, y = shapes(200, 48)
    files, truth = [], []
    for number, (picture, mask) in enumerate(zip(x, y, strict=True)):
        part = root / ("test" if number >= 160 else "train")
        for kind, image in (("images", picture), ("masks", mask)):
            path = part / kind / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        if number >= 160:
            files.append(part / "images" / f"{number:03}.png")
            truth.append(mask)
    return Made(upload=(root,), test=tuple(files), truth=np.stack(truth), options=("--image-size", "48"), space="unet")


def shapes(count: int, side: int) -> tuple[Array, Array]:
    """x (count, side, side, 3), y (count, side, side): 0 ground, 1 discs, 2 squares, 3 rings; colours only hint."""
    rng = generator(Stream.DRAW, 0, 0, 3)
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    x, y = np.empty((count, side, side, 3), np.uint8), np.zeros((count, side, side), np.uint8)
    hues = np.array([[0, 0, 0], [170, 90, 90], [90, 160, 100], [90, 100, 170]], float)
    for picture, mask in zip(x, y, strict=True):
        turn, wave = rng.uniform(0, np.pi), rng.uniform(0.3, 1.2)
        stripes = np.sin(wave * (rows * np.cos(turn) + columns * np.sin(turn)))[..., None]
        values = rng.uniform(60, 190, 3) + 25.0 * stripes
        for _ in range(rng.integers(1, 5)):
            kind, size = int(rng.integers(1, 4)), rng.uniform(side / 8, side / 4)
            top, left = rng.uniform(size, side - size, 2)
            far, flat = np.hypot(rows - top, columns - left), np.maximum(np.abs(rows - top), np.abs(columns - left))
            away = {1: far - size, 2: flat - 0.9 * size, 3: np.abs(far - 0.75 * size) - 0.25 * size}[kind]
            inside = away <= 0
            values[inside] = hues[kind] + rng.uniform(-60, 60, 3)
            mask[inside] = kind
        picture[:] = np.clip(values + rng.normal(0, 20, values.shape), 0, 255)
    return x, y


KINDS: dict[str, Callable[[Path, Path], Made]] = {
    "photographs": photographs,
    "table": table,
    "parquet": parquet,
    "multispectral": multispectral,
    "regression": regression,
    "series": series,
    "segmentation": segmentation,
}


def _trashnet(data: Path) -> list[tuple[str, str, bytes, bool]]:
    """(class, file name, bytes, whether of the test part), in the order of the archive; every fifth of a class."""
    found, seen = [], dict[str, int]()
    with zipfile.ZipFile(data / "trashnet" / "trashnet_half.zip") as archive:
        for name in sorted(archive.namelist()):
            path = PurePosixPath(name)
            if path.suffix != ".jpg":
                continue
            label = path.parent.name
            seen[label] = seen.get(label, 0) + 1
            found.append((label, path.name, archive.read(name), seen[label] % 5 == 0))
    return found


def _fashion(data: Path, folder: Path, count: int) -> tuple[Array, Array]:
    """The first pictures (count, 28, 28) uint8 of Fashion-MNIST and their labels (count,)."""
    scratch = folder / "idx"
    scratch.mkdir(exist_ok=True)
    raw = read_idx([data / name for name in FASHION], scratch=scratch)
    x = next(iter(raw.pieces))
    return np.asarray(x[:count]).reshape(count, 28, 28).astype(np.uint8), np.asarray(raw.y[:count])


def mask_of(path: str) -> Array:
    """(H, W): a mask that `archsmith predict` wrote."""
    return np.asarray(Image.open(io.BytesIO(Path(path).read_bytes())))
