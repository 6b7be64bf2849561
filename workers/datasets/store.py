"""Data sets on disk: arrays that are mapped rather than read, splits that are made once.

    ROOT/NAME/x.npy       (N, C, H, W) uint8 or float32, rows in the order train, val, test of the source
    ROOT/NAME/y.npy       (N,) int64
    ROOT/NAME/items.npy   (N,) uint64, a hash of each sample's bytes
    ROOT/NAME/meta.json   everything of DatasetInfo
    ROOT/NAME/splits-SEED.npz

A data set is written to a hidden folder and renamed, so it is there whole or not at all.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsmith.errors import AlreadyExists, Fault, InvalidDataset, NotFound
from workers.datasets import digits
from workers.datasets.raw import Array, Labels, RawDataset, class_warnings
from workers.datasets.splits import Splits, channel_statistics, duplicates_across, make_splits
from workers.datasets.values import Split

BUILT_IN = {"digits": digits.read}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SCHEMA_VERSION = "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetInfo:
    """What can be said of a data set without its samples.

    input_shape: (C, H, W). counts: samples per class. train, val, test: sizes of search_train, search_val and test.
    dtype: "uint8" or "float32". sha256: of the content (shape, type, pixels, labels, source's split), not of the files.
    parts: the source's own split, [start, stop) rows. report: warnings, ignored and corrupt files, duplicates.
    """

    name: str
    format: str
    input_shape: tuple[int, int, int]
    classes: int
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    train: int
    val: int
    test: int
    dtype: str
    sha256: str
    bytes: int
    parts: dict[str, tuple[int, int]]
    report: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "DatasetInfo":
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        values["parts"] = {k: (v[0], v[1]) for k, v in document["parts"].items()}
        return cls(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """An opened data set under one seed. Each split is gathered from the mapped file when asked for.

    mean, std: per channel over search_train, in the units of x (0..255 for pixels): normalise as (x - mean) / std.
    """

    info: DatasetInfo
    seed: int
    x: Array
    y: Labels
    splits: Splits
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def search_train(self) -> Split:
        return self._gather(self.splits.search_train)

    @property
    def search_val(self) -> Split:
        return self._gather(self.splits.search_val)

    @property
    def final_train(self) -> Split:
        return self._gather(self.splits.final_train)

    @property
    def test(self) -> Split:
        """For finalists only; no search code may touch it."""
        return self._gather(self.splits.test)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.info.class_names

    @property
    def sha256(self) -> str:
        return self.info.sha256

    @property
    def split_hashes(self) -> dict[str, str]:
        return self.splits.hashes

    def _gather(self, rows: npt.NDArray[np.int64]) -> Split:
        return Split(x=np.asarray(self.x[rows]), y=self.y[rows])


class DataStore:
    """The folder of data sets. Built-in ones are written on first use. Safe for many processes at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        return self._root

    def names(self) -> list[str]:
        found = {p.name for p in self._root.iterdir() if NAME.fullmatch(p.name)} if self._root.is_dir() else set()
        return sorted({n for n in found if (self._root / n / "meta.json").is_file()} | set(BUILT_IN))

    def describe(self, name: str) -> DatasetInfo:
        """Raises NotFound."""
        document = json.loads((self._folder(name) / "meta.json").read_text(encoding="utf-8"))
        document.pop("schema_version")
        return DatasetInfo.from_json(document)

    def open(self, name: str, *, seed: int) -> Dataset:
        """The data set with the splits of `seed`, which are made and stored when first asked for. Raises NotFound."""
        info, folder = self.describe(name), self._folder(name)
        x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)
        y = np.load(folder / "y.npy", allow_pickle=False)
        path = folder / f"splits-{seed}.npz"
        stored = _read_splits(path)
        if stored is None:
            splits = make_splits(y, info.parts, seed=seed)
            stored = (splits, *channel_statistics(x, splits.search_train))
            _write_splits(path, *stored)
        splits, mean, std = stored
        return Dataset(info=info, seed=seed, x=x, y=y, splits=splits, mean=mean, std=std)

    def check_name(self, name: str) -> None:
        """Raises InvalidDataset for a name that cannot be, AlreadyExists for one that is taken."""
        if not NAME.fullmatch(name):
            detail = f"a data set's name is 1 to 64 letters, digits, '.', '_' or '-', not {name[:80]!r}"
            raise InvalidDataset(Fault(pointer="/name", rule="pattern", detail=detail, allowed=NAME.pattern))
        if name in self.names():
            raise AlreadyExists(f"a data set {name!r} is there already")

    def add(self, name: str, raw: RawDataset) -> DatasetInfo:
        """Stores what a reader found. Raises AlreadyExists, InvalidDataset (too few classes or samples)."""
        self.check_name(name)
        return self._write(name, raw)

    def sweep(self, *, older_than_s: float = 86_400.0) -> None:
        """Removes what killed processes left half-written."""
        for path in self._root.glob(".*-incoming"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than_s:
                    shutil.rmtree(path, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        if not NAME.fullmatch(name):
            raise NotFound("data set", name)
        if not (folder / "meta.json").is_file():
            if name not in BUILT_IN:
                raise NotFound("data set", name)
            with contextlib.suppress(AlreadyExists):  # another process was faster, with the same content
                self._write(name, BUILT_IN[name]())
        return folder

    def _write(self, name: str, raw: RawDataset) -> DatasetInfo:
        warnings = (*raw.warnings, *class_warnings(raw.y, raw.class_names, raw.parts))
        splits = make_splits(raw.y, raw.parts, seed=0)
        self._root.mkdir(parents=True, exist_ok=True)
        temp = Path(tempfile.mkdtemp(prefix=".", suffix="-incoming", dir=self._root))
        try:
            sha256, items = _write_arrays(temp, raw)
            duplicates = {"items": int(len(items) - len(np.unique(items))), **duplicates_across(items, splits)}
            info = _describe(name, raw, splits, sha256=sha256, warnings=warnings, duplicates=duplicates)
            meta = {"schema_version": SCHEMA_VERSION, **info.to_json()}
            (temp / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
            temp.chmod(0o755)
            _publish(temp, self._root / name)
        finally:  # published, it has another name by now
            shutil.rmtree(temp, ignore_errors=True)
        return info


def _publish(temp: Path, target: Path) -> None:
    for path in (*temp.iterdir(), temp):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    try:
        temp.rename(target)
    except OSError as error:
        if target.is_dir():
            raise AlreadyExists(f"a data set {target.name!r} is there already") from error
        raise


def _write_arrays(folder: Path, raw: RawDataset) -> tuple[str, npt.NDArray[np.uint64]]:
    """Writes x, y and the hash of each item; returns the SHA-256 of the content and the item hashes."""
    header = {"shape": raw.shape, "dtype": raw.dtype.name, "parts": {k: list(v) for k, v in raw.parts.items()}}
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    items = np.empty(len(raw.y), dtype=np.uint64)
    out = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=raw.dtype, shape=raw.shape)
    start = 0
    for batch in raw.batches():
        out[start : start + len(batch)] = batch
        digest.update(batch.data)
        for row, item in enumerate(batch, start=start):
            items[row] = int.from_bytes(hashlib.blake2b(item.data, digest_size=8).digest(), "little")
        start += len(batch)
    out.flush()
    digest.update(raw.y.astype("<i8").tobytes())
    np.save(folder / "y.npy", raw.y)
    np.save(folder / "items.npy", items)
    return digest.hexdigest(), items


def _describe(
    name: str, raw: RawDataset, splits: Splits, *, sha256: str, warnings: tuple[str, ...], duplicates: dict[str, int]
) -> DatasetInfo:
    if duplicates["items"]:
        warnings = (*warnings, f"{duplicates['items']} samples are byte for byte repeats of others")
    _, channels, height, width = raw.shape
    return DatasetInfo(
        name=name,
        format=raw.format,
        input_shape=(channels, height, width),
        classes=len(raw.class_names),
        class_names=raw.class_names,
        counts=tuple(np.bincount(raw.y, minlength=len(raw.class_names)).tolist()),
        train=len(splits.search_train),
        val=len(splits.search_val),
        test=len(splits.test),
        dtype=raw.dtype.name,
        sha256=sha256,
        bytes=math.prod(raw.shape) * raw.dtype.itemsize + raw.y.nbytes,
        parts={k: (v[0], v[1]) for k, v in raw.parts.items()},
        report={
            "samples": len(raw.y),
            "warnings": list(warnings),
            "ignored_files": list(raw.ignored),
            "corrupt_files": list(raw.corrupt),
            "duplicates": duplicates,
            **raw.notes,
        },
    )


Stored = tuple[Splits, tuple[float, ...], tuple[float, ...]]


def _read_splits(path: Path) -> Stored | None:
    """None when not there, torn or changed: making them again gives the same ones."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            splits = Splits(**{k: stored[k] for k in ("search_train", "search_val", "test")})
            hashes = dict(zip(splits.hashes, stored["hashes"].tolist(), strict=True))
            mean, std = tuple(stored["mean"].tolist()), tuple(stored["std"].tolist())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (splits, mean, std) if hashes == splits.hashes else None


def _write_splits(path: Path, splits: Splits, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".npz", delete=False) as file:
        np.savez(
            file,
            search_train=splits.search_train,
            search_val=splits.search_val,
            test=splits.test,
            hashes=np.array(list(splits.hashes.values())),
            mean=np.array(mean),
            std=np.array(std),
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
