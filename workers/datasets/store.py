"""Data sets on disk: arrays that are mapped rather than read, splits that are made once.

    ROOT/NAME/*.npy                  the arrays, see sample_store and graph_store
    ROOT/NAME/meta.json              everything of DatasetInfo
    ROOT/NAME/splits-SEED.npz        of pictures and volumes
    ROOT/NAME/splits-SEED-TASK.npz   of graphs

A data set is written to a hidden folder and renamed, so it is there whole or not at all.
"""

import contextlib
import io
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import AlreadyExists, Fault, InvalidDataset, NotFound
from workers.atomic import write_whole
from workers.datasets import checked, digits, graph_store, removal, sample_store
from workers.datasets.answers import answer_warnings
from workers.datasets.dataset import Dataset
from workers.datasets.graph_splits import GivenNodes, LinkSplits
from workers.datasets.graphs import PART_NUMBERS, RawGraphs
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import Array, RawDataset
from workers.datasets.splits import Splits, channel_statistics, duplicates_across, make_splits

BUILT_IN = {"digits": digits.read}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SCHEMA_VERSION = "1"
EMPTY = np.empty(0, dtype=np.int64)


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
        try:
            document = json.loads((self._folder(name) / "meta.json").read_text(encoding="utf-8"))
        except FileNotFoundError:  # removed in this instant
            raise NotFound("data set", name) from None
        document.pop("schema_version")
        return DatasetInfo.from_json(document)

    def open(self, name: str, *, seed: int, task: str | None = None) -> Dataset:
        """The data set with the splits of `seed`, which are made and stored when first asked for.

        task: one of its tasks, by default the first. Raises NotFound, and InvalidDataset for another task.
        """
        info = self.describe(name)
        return self._open(name, seed, info.tasks[0] if task is None else task)

    def _open(self, name: str, seed: int, task: str) -> Dataset:
        info, folder = self.describe(name), self._folder(name)
        if task not in info.tasks:
            detail = f"the data set {name!r} has the tasks {', '.join(info.tasks)}, got {task[:40]!r}"
            raise InvalidDataset(Fault(pointer="", rule="task_unsupported", detail=detail, allowed=list(info.tasks)))
        x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)
        arrays = {key: _optional(folder / f"{key}.npy") for key in ("edges", "graph", "part", "groups")}
        arrays["y"] = _optional(folder / "y.npy", mapped=info.problem == "segmentation")
        graphs = info.kind == "graph"
        path = folder / (f"splits-{seed}-{task}.npz" if graphs else f"splits-{seed}.npz")
        stored = _read_splits(path, _kind_of_splits(task, arrays["part"]))
        if stored is None:
            stored = _make_splits(info, task, x, arrays, seed=seed)
            _write_splits(path, *stored)
        splits, mean, std = stored
        y, edges, graph = (EMPTY if arrays[key] is None else arrays[key] for key in ("y", "edges", "graph"))
        return Dataset(
            info=info, seed=seed, task=task, x=x, y=y, splits=splits, mean=mean, std=std,
            edges=edges, graph=graph, sibling=partial(self._open, name, seed),
        )  # fmt: skip

    def duplicates(self, dataset: Dataset) -> dict[str, int] | None:
        """How many samples of a split repeat one of an earlier split, under the data set's own seed and task.

        None where samples are no items of their own: nodes and links of one graph.
        """
        folder = self._folder(dataset.info.name)
        if dataset.task in ("nodes", "links"):
            return None
        if dataset.task == "graphs":
            return duplicates_across(graph_store.fingerprints(dataset.x, dataset.edges, dataset.graph), dataset.splits)
        items = np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False)
        return duplicates_across(items, dataset.splits)

    def check_name(self, name: str) -> None:
        """Raises InvalidDataset for a name that cannot be, AlreadyExists for one that is taken."""
        if not NAME.fullmatch(name):
            detail = f"a data set's name must be 1 to 64 letters, digits, '.', '_' or '-', got {name[:80]!r}"
            raise InvalidDataset(Fault(pointer="/name", rule="pattern", detail=detail, allowed=NAME.pattern))
        if name in self.names():
            raise AlreadyExists(f"a data set {name!r} is there already")

    def add(self, name: str, raw: RawDataset | RawGraphs) -> DatasetInfo:
        """Stores what a reader found. Raises AlreadyExists, InvalidDataset (too few classes or samples)."""
        self.check_name(name)
        return self._write(name, raw)

    def remove(self, name: str) -> None:
        """Takes the data set away; its name is free at once. Raises NotFound."""
        if name in BUILT_IN or name not in self.names():
            raise NotFound("data set", name)
        removal.remove(self._root, name)

    def replace(self, name: str, by: "DataStore") -> DatasetInfo:
        """Puts the data set `name` of another store, in a folder of the same file system, in place of the one here.

        Raises NotFound where either has none.
        """
        if name in BUILT_IN or name not in self.names():
            raise NotFound("data set", name)
        info = by.describe(name)
        removal.swap(self._root, name, by.root / name)
        return info

    def sweep(self, *, older_than_s: float = 86_400.0) -> None:
        """Removes what processes that were killed have left: half-written data sets, and half-removed ones.

        A data set that was about to be replaced, with neither the old nor the new one in its place, is put back.
        """
        removal.recover(self._root)
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
            with contextlib.suppress(AlreadyExists):  # another process wrote the same content first
                self._write(name, BUILT_IN[name]())
        return folder

    def _write(self, name: str, raw: RawDataset | RawGraphs) -> DatasetInfo:
        if isinstance(raw, RawDataset):  # before anything is written
            answer_warnings(raw.y, raw.class_names, raw.parts, raw.problem)
        splits = _first_splits(raw)
        self._root.mkdir(parents=True, exist_ok=True)
        temp = Path(tempfile.mkdtemp(prefix=".", suffix="-incoming", dir=self._root))
        try:
            if isinstance(raw, RawDataset):
                sha256, items = sample_store.write(temp, raw)
                info = sample_store.describe(name, raw, splits, sha256=sha256, items=items)
                info = checked.samples(info, raw, splits, items=items, x=np.load(temp / "x.npy", mmap_mode="r"))
            else:
                prints = None if raw.graph is None else graph_store.fingerprints(raw.x, raw.edges, raw.graph)
                info = graph_store.describe(name, raw, splits, sha256=graph_store.write(temp, raw), items=prints)
                info = checked.graphs(info, raw, splits, items=prints)
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


Stored = tuple[Splits, tuple[float, ...], tuple[float, ...]]


def _first_splits(raw: RawDataset | RawGraphs) -> Splits:
    """Of the first task under seed 0, for the sizes. Raises InvalidDataset for data that cannot be split."""
    if isinstance(raw, RawDataset):
        return make_splits(raw.y, raw.parts, seed=0, groups=raw.groups, problem=raw.problem)
    y = EMPTY if raw.y is None else raw.y
    return graph_store.make_task_splits(
        raw.tasks[0], x=raw.x, y=y, edges=raw.edges, part=raw.part, seed=0, problem=raw.problem
    )


def _make_splits(info: DatasetInfo, task: str, x: Array, arrays: dict[str, Any], *, seed: int) -> Stored:
    if info.kind != "graph":
        splits = make_splits(arrays["y"], info.parts, seed=seed, groups=arrays["groups"], problem=info.problem)
        return (splits, *channel_statistics(x, splits.search_train))
    splits = graph_store.make_task_splits(
        task, x=x, y=arrays["y"], edges=arrays["edges"], part=arrays["part"], seed=seed, problem=info.problem
    )
    return (splits, *graph_store.task_statistics(task, splits, x=x, graph=arrays["graph"]))


def _kind_of_splits(task: str, part: Array | None) -> type[Splits]:
    if task == "links":
        return LinkSplits
    val_given = part is not None and bool((part == PART_NUMBERS["val"]).any())
    return GivenNodes if task == "nodes" and val_given else Splits


def _optional(path: Path, *, mapped: bool = False) -> Any:
    return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False) if path.is_file() else None


def _read_splits(path: Path, kind: type[Splits]) -> Stored | None:
    """None for a file that is absent, torn or changed: the splits are then made again and are the same."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            splits = kind(**{k: stored[k] for k in ("search_train", "search_val", "test")})
            hashes = dict(zip(splits.hashes, stored["hashes"].tolist(), strict=True))
            mean, std = tuple(stored["mean"].tolist()), tuple(stored["std"].tolist())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (splits, mean, std) if hashes == splits.hashes else None


def _write_splits(path: Path, splits: Splits, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    stream = io.BytesIO()
    np.savez(
        stream,
        search_train=splits.search_train,
        search_val=splits.search_val,
        test=splits.test,
        hashes=np.array(list(splits.hashes.values())),
        mean=np.array(mean),
        std=np.array(std),
    )
    write_whole(path, stream.getvalue())
