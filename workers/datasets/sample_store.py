"""Pictures, volumes and series on disk, and their description.

NAME/x.npy       (N, C, H, W), (N, C, D, H, W) or (N, C, T) uint8 or float32, rows in order: train, val, test
NAME/y.npy       (N,) int64; (N, K) uint8 for several labels, (N, K) float32 for regression, (N, H, W) uint8 for masks
NAME/items.npy   (N,) uint64, a hash of each sample's bytes
NAME/groups.npy  (N,) int64, the group of each sample; only where there are groups
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.datasets.answers import answer_warnings, counts
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import RawDataset, chunks, item_bytes
from workers.datasets.splits import Splits, duplicates_across


def write(folder: Path, raw: RawDataset) -> tuple[str, npt.NDArray[np.uint64]]:
    """Writes x, y and the hash of each item; returns the SHA-256 of the content and the item hashes."""
    header = {"shape": raw.shape, "dtype": raw.dtype.name, "parts": {k: list(v) for k, v in raw.parts.items()}}
    if raw.problem != "classification":
        header["problem"] = raw.problem
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    items = np.empty(len(raw.y), dtype=np.uint64)
    start = 0
    with (folder / "x.npy").open("wb") as out:  # not mapped: the pages would count as memory of this process
        described = {"descr": np.lib.format.dtype_to_descr(raw.dtype), "fortran_order": False, "shape": raw.shape}
        np.lib.format.write_array_header_1_0(out, described)
        for batch in raw.batches():
            out.write(batch.data)
            digest.update(batch.data)
            for row, item in enumerate(batch, start=start):
                items[row] = int.from_bytes(hashlib.blake2b(item.data, digest_size=8).digest(), "little")
            start += len(batch)
    stored = np.dtype("<i8") if raw.problem in ("classification", "ordinal") else raw.y.dtype.newbyteorder("<")
    for rows in chunks(len(raw.y), item_bytes(raw.y)):
        digest.update(np.ascontiguousarray(raw.y[rows], dtype=stored).data)
    if raw.groups is not None:
        digest.update(raw.groups.astype("<i8").tobytes())
        np.save(folder / "groups.npy", raw.groups)
    np.save(folder / "y.npy", raw.y)
    np.save(folder / "items.npy", items)
    return digest.hexdigest(), items


def describe(name: str, raw: RawDataset, splits: Splits, *, sha256: str, items: npt.NDArray[np.uint64]) -> DatasetInfo:
    """splits: of seed 0. Raises InvalidDataset for labels that no classifier can learn from."""
    warnings = [*raw.warnings, *answer_warnings(raw.y, raw.class_names, raw.parts, raw.problem)]
    duplicates = {"items": int(len(items) - len(np.unique(items))), **duplicates_across(items, splits)}
    if duplicates["items"]:
        warnings.append(f"{duplicates['items']} samples are byte for byte repeats of others")
    return DatasetInfo(
        name=name,
        format=raw.format,
        kind=raw.kind,
        tasks=raw.tasks,
        input_shape=raw.shape[1:],
        classes=len(raw.class_names),
        class_names=raw.class_names,
        counts=counts(raw.y, raw.problem, len(raw.class_names)),
        problem=raw.problem,
        train=len(splits.search_train),
        val=len(splits.search_val),
        test=len(splits.test),
        dtype=raw.dtype.name,
        sha256=sha256,
        bytes=math.prod(raw.shape) * raw.dtype.itemsize + raw.y.nbytes,
        parts={k: (v[0], v[1]) for k, v in raw.parts.items()},
        report={
            "samples": len(raw.y),
            "warnings": warnings,
            "ignored_files": list(raw.ignored),
            "corrupt_files": list(raw.corrupt),
            "duplicates": duplicates,
            **raw.notes,
        },
    )
