"""One graph: a NumPy archive of plain arrays, or two tables of text.

Arrays: `edges`, (E, 2) or (2, E) node numbers; features `x` (N, F), or the same in rows of sparse numbers, `x_indptr`
(N + 1,), `x_indices`, `x_shape` (2,) and, if not all 1, `x_data`; optionally `y` (N,) class numbers, -1 where unknown;
`train_mask`, `val_mask`, `test_mask` (N,); `class_names`. Texts: `nodes.csv` and `edges.csv`, see `graph_csv`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.datasets import graph_csv
from workers.datasets.arrays import CLASS_NAMES, Arrays, open_arrays
from workers.datasets.files import find
from workers.datasets.graphs import (
    PART_NUMBERS,
    Numbers,
    RawGraphs,
    as_edges,
    as_features,
    as_node_labels,
    as_part,
    check_sizes,
    dense,
)
from workers.datasets.raw import Array, fault, stored_dtype

SPARSE = ("x_indptr", "x_indices", "x_shape")
MASKS = {f"{name}_mask": name for name in PART_NUMBERS}
WITHOUT_MEANING = ("has_data",)
"""Left out without a word: Planetoid's note of which nodes have a label, which `y` says as well."""


def read(sources: Sequence[Path], *, scratch: Path) -> RawGraphs:
    """sources: an archive of arrays; a folder, one zip archive, or two files of the tables. Raises InvalidDataset."""
    if len(sources) == 1 and sources[0].suffix.lower() == ".npz":
        return _of_arrays(sources[0], scratch=scratch)
    found, ignored = find(sources, lambda name: name in graph_csv.FILES, scratch=scratch)
    if not found and sources[0].is_file() and any(name.endswith(".npy") for name in ignored):
        return _of_arrays(sources[0], scratch=scratch)  # an archive of arrays by another name
    return graph_csv.read(found, ignored=ignored, scratch=scratch)


def _of_arrays(source: Path, *, scratch: Path) -> RawGraphs:
    with open_arrays(source, scratch=scratch) as arrays:
        if "edges" not in arrays.names:
            detail = f"{source.name} needs an array named edges; it holds {', '.join(arrays.names[:20])}"
            raise fault("array_missing", detail, file=source.name, allowed=["edges"])
        x = features(arrays, scratch=scratch)
        nodes = len(x)
        edges, counts = as_edges(arrays.read("edges"), nodes=nodes, file="edges")
        y = as_node_labels(arrays.read("y"), nodes=nodes, file="y") if "y" in arrays.names else None
        masks = {part: arrays.read(name) for name, part in MASKS.items() if name in arrays.names}
        known = {"x", *SPARSE, "x_data", "edges", "y", *MASKS, CLASS_NAMES, *WITHOUT_MEANING}
        return RawGraphs(
            format="graph",
            x=x,
            edges=edges,
            y=y,
            class_names=() if y is None else arrays.class_names(int(y.max()) + 1),
            part=as_part(masks, y, nodes=nodes) if masks else None,
            ignored=tuple(name for name in arrays.names if name not in known),
            notes={"edges": counts},
        )


def features(arrays: Arrays, *, scratch: Path) -> Array:
    """(N, F) as the store keeps them, of dense or sparse arrays. Raises InvalidDataset."""
    sparse = [name for name in SPARSE if name in arrays.names]
    if ("x" in arrays.names) == bool(sparse) or len(sparse) not in (0, len(SPARSE)):
        detail = f"{arrays.file} needs the features of the nodes once, as x or as {', '.join(SPARSE)}; it holds "
        raise fault("array_missing", detail + ", ".join(arrays.names[:20]), file=arrays.file, allowed=["x", *SPARSE])
    if not sparse:
        return as_features(arrays.read("x"), file="x")
    indptr, indices, shape = (_whole(arrays, name) for name in SPARSE)
    if shape.shape != (2,):
        raise fault("features_invalid", f"x_shape must be (N, F), it has shape {shape.shape}", file="x_shape")
    nodes, width = int(shape[0]), int(shape[1])
    check_sizes(nodes, width, 1, file="x_shape")
    if len(indptr) != nodes + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        detail = f"x_indptr must rise from 0 to {len(indices)} in {nodes} steps, one for each node"
        raise fault("features_invalid", detail, file="x_indptr")
    if (indices < 0).any() or (indices >= width).any():
        detail = f"x_indices go from {indices.min()} to {indices.max()}, x_shape allows 0 to {width - 1}"
        raise fault("features_invalid", detail, file="x_indices", allowed=[0, width - 1])
    rows = np.repeat(np.arange(nodes), np.diff(indptr))
    if len(np.unique(rows * width + indices)) != len(indices):
        raise fault("features_invalid", "x_indices give a feature to a node twice", file="x_indices")
    return dense(rows, indices, _values(arrays, len(indices)), (nodes, width), scratch=scratch)


def _whole(arrays: Arrays, name: str) -> Numbers:
    found = arrays.read(name)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise fault("features_invalid", f"{name} must be a list of whole numbers, not {found.dtype}", file=name)
    return found.astype(np.int64)


def _values(arrays: Arrays, count: int) -> Array | None:
    """None when all are 1, else what the store keeps: uint8 or float32."""
    if "x_data" not in arrays.names:
        return None
    found = arrays.read("x_data")
    if found.shape != (count,):
        detail = f"x_data has shape {found.shape}, x_indices name {count} features"
        raise fault("length_mismatch", detail, file="x_data", allowed=count)
    kept = stored_dtype(found, file="x_data")
    return None if (found == 1).all() else np.asarray(found, dtype=kept)
