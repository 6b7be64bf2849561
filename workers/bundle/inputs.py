"""The files given to `archsmith predict`, read as arrays like those of the data set that the model was trained on.

    image           a picture file; or arrays
    any             the files that a data set was made of, see `originals`
    series          a table, .csv, .tsv or .txt, a series a line, with or without labels; or arrays
    volume          arrays: .npy, or .npz with one array or one named x: one sample, or many along a first axis
    nodes, links    .npz with x and edges, of links pairs too       the names and forms of an upload (docs/datasets.md)
    graphs          the same, of many graphs with graph (N,), the number of each node's graph

Every fault names the file, the rule and what was found.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from workers.bundle.given import Given, fault, remark, typed
from workers.bundle.manifest import Array, Manifest
from workers.bundle.originals import is_table, read_originals
from workers.datasets import images, series_table
from workers.datasets.arrays import Arrays, open_arrays
from workers.datasets.columns import assumed
from workers.datasets.graph import features
from workers.datasets.graphs import Numbers, as_edges, both_ways
from workers.datasets.pixels import Fit
from workers.datasets.pixels import is_picture as begins_as_picture

ORIGINALS = ("ubyte", "ubyte.gz", ".tar", ".tgz", ".tar.gz", ".h5", ".hdf5", ".mat", ".parquet", ".csv", ".bin", ".nii")
"""Ends of the names of files that data sets are made of, beside archives, pictures and arrays."""
_ENDINGS = {"image": images.EXTENSIONS, "segmentation": images.EXTENSIONS, "series": series_table.ENDINGS}
"""Kind of data -> ends of the names of its files, beside those of arrays."""
_OF_A_SPLIT = re.compile(r"train|test|val|^(X|images|data)$", re.IGNORECASE)


def read_files(paths: Sequence[Path], manifest: Manifest) -> Iterator[Given]:
    """Reads files that belong together (`originals.groups`), a bounded number of rows at a time.

    Raises InvalidBundle, or InvalidDataset for files that would be refused as a data set too.
    """
    for path in paths:
        if not path.is_file():
            raise fault(path, "file_missing", f"there is no file {path}")
    if len(paths) > 1 or _is_original(paths[0], manifest):
        yield from read_originals(paths, manifest)
    else:
        yield read(paths[0], manifest)


def _is_original(path: Path, manifest: Manifest) -> bool:
    """Whether only the reader of a data set can read it. One array, or one named x, is read in more ways than that."""
    ending = path.suffix.lower()
    if manifest.is_graph:
        return ending in (".zip", ".csv", ".txt")
    if ending == ".npz":
        with (
            tempfile.TemporaryDirectory(prefix="archsmith-predict-") as place,
            open_arrays(path, scratch=Path(place)) as arrays,
        ):
            split = [name for name in arrays.names if name != "x" and _OF_A_SPLIT.search(name)]
            return len(arrays.names) > 1 and bool(split)
    if manifest.data == "series" and is_table(path):
        return True
    known = ending in images.EXTENSIONS or ending == ".npy"
    return not known and (ending == ".zip" or path.name.endswith(ORIGINALS))


def read(path: Path, manifest: Manifest) -> Given:
    """Reads one file of arrays, or one picture. Raises as `read_files`."""
    ending = path.suffix.lower()
    if manifest.is_graph:
        if ending != ".npz":
            arrays = f".npz files with {', '.join(_names(manifest))}"
            detail = f"a model of {manifest.data} takes {arrays}, or {_tables(manifest)}"
            raise fault(path, "kind_unsuitable", detail)
        return _graph(path, manifest)
    if ending in images.EXTENSIONS or is_picture(path):
        return _picture(path, manifest)
    if ending not in (".npy", ".npz"):
        wanted = [*_ENDINGS.get(manifest.data, ()), ".npy", ".npz"]
        detail = f"a model of {manifest.samples} takes files that end in {', '.join(wanted)}"
        raise fault(path, "kind_unsuitable", detail)
    return _samples(path, manifest)


# ---- pictures


def is_picture(path: Path) -> bool:
    """By its content, whatever its name."""
    with path.open("rb") as stream:
        return begins_as_picture(stream.read(16))


def _picture(path: Path, manifest: Manifest) -> Given:
    how = manifest.preprocessing.pictures
    deep = manifest.preprocessing.dtype != "uint8"
    flat = manifest.data in _ENDINGS and manifest.data != "series"
    if not flat or (deep and how == "exact") or manifest.input_shape[0] not in (1, 3):
        taken = (
            f"{manifest.samples} of {'×'.join(map(str, manifest.input_shape))} {manifest.preprocessing.dtype} values"
        )
        detail = f"the model takes {taken}, which no picture file holds; give a .npy"
        raise fault(path, "kind_unsuitable", detail)
    channels, height, width = manifest.input_shape
    fit: Fit = how if how in ("auto", "pad") else "crop"
    pixels = images.decoded(path, side=None if how == "exact" else height, fit=fit, deep=deep)
    if pixels.shape[:2] != (height, width):
        detail = (
            f"the model takes pictures of {width}×{height} pixels, this one has {pixels.shape[1]}×{pixels.shape[0]}"
        )
        raise fault(path, "shape_mismatch", f"{detail}; scale it the way the data set's were")
    if channels == 1:
        if (pixels != pixels[..., :1]).any():
            raise fault(path, "mode_unsuitable", "the model takes grey pictures, this one has colours")
        pixels = pixels[..., :1]
    pixels = np.broadcast_to(pixels, (height, width, channels))
    x = np.ascontiguousarray(np.moveaxis(pixels, 2, 0)[None])
    return Given(arrays={"x": x}, rows=[path.name], remark=remark(x, manifest))


# ---- arrays


def _samples(path: Path, manifest: Manifest) -> Given:
    with tempfile.TemporaryDirectory(prefix="archsmith-predict-") as scratch:
        x = np.array(_array(path, Path(scratch)))
    x, many = _batch(x, manifest, path)
    x = typed(x, manifest, path)
    rows = [f"{path.name}[{number}]" for number in range(len(x))] if many else [path.name]
    return Given(arrays={"x": x}, rows=rows, remark=remark(x, manifest))


def _array(path: Path, scratch: Path) -> Array:
    if path.suffix.lower() == ".npy":
        try:
            found: Array = np.load(path, allow_pickle=False, mmap_mode="r")
        except (ValueError, OSError, EOFError) as error:
            raise fault(path, "array_invalid", f"this is no array that can be read: {error}") from error
        return found
    with open_arrays(path, scratch=scratch) as arrays:
        name = arrays.names[0] if len(arrays.names) == 1 else "x"
        if name not in arrays.names:
            detail = f"one array, or one named x, is wanted; it holds {', '.join(arrays.names[:20])}"
            raise fault(path, "array_missing", detail)
        return arrays.read(name)


def _batch(x: Array, manifest: Manifest, path: Path) -> tuple[Array, bool]:
    """(B, C, …), and whether many samples were given. Channels may be the last axis; a single one may be left out."""
    channels, *sides = manifest.input_shape
    forms = {tuple(manifest.input_shape): False, (*sides, channels): True}
    if x.shape in forms:
        return (np.moveaxis(x, -1, 0) if forms[x.shape] else x)[None], False
    if x.size and x.shape[1:] in forms:
        return (np.moveaxis(x, -1, 1) if forms[x.shape[1:]] else x), True
    if channels == 1 and x.shape == tuple(sides):
        return x[None, None], False
    if channels == 1 and x.size and x.shape[1:] == tuple(sides):
        return x[:, None], True
    detail = (
        f"the model takes {manifest.samples} of {tuple(manifest.input_shape)}, one or (N, …); this array is {x.shape}"
    )
    raise fault(path, "shape_mismatch", detail)


# ---- graphs


def _tables(manifest: Manifest) -> str:
    if manifest.data == "graphs":
        return "a TU archive (.zip)"
    return "nodes.csv and edges.csv" + (" with pairs.csv" if manifest.data == "links" else "")


def _names(manifest: Manifest) -> tuple[str, ...]:
    return ("x", "edges", *(("pairs",) if manifest.data == "links" else ()))


def _graph(path: Path, manifest: Manifest) -> Given:
    with (
        tempfile.TemporaryDirectory(prefix="archsmith-predict-") as place,
        open_arrays(path, scratch=Path(place)) as arrays,
    ):
        missing = [name for name in _names(manifest)[1:] if name not in arrays.names]
        if missing:
            detail = f"arrays {', '.join(missing)} are wanted; it holds {', '.join(arrays.names[:20])}"
            raise fault(path, "array_missing", detail)
        x = np.array(features(arrays, scratch=Path(place)))
        if x.shape[1:] != manifest.input_shape:
            detail = f"the model takes nodes of {manifest.input_shape[0]} features, these have {x.shape[1]}"
            raise fault(path, "shape_mismatch", detail)
        x = typed(x, manifest, path)
        edges, _ = as_edges(arrays.read("edges"), nodes=len(x), file="edges")
        found: dict[str, Array] = {"x": x, "edges": both_ways(edges)}
        rows = [f"{path.name} node {number}" for number in range(len(x))]
        if manifest.data == "links":
            found["pairs"] = pairs = _pairs(arrays, len(x), path)
            rows = [f"{path.name} pair {first}-{second}" for first, second in pairs.T.tolist()]
        elif manifest.data == "graphs":
            found["graph"] = graph = _owners(arrays, found["edges"], len(x), path)
            rows = [f"{path.name} graph {number}" for number in range(int(graph[-1]) + 1)]
    said = [assumed(manifest.preprocessing.columns), remark(x, manifest)]
    return Given(arrays=found, rows=rows, remark="; ".join(part for part in said if part))


def _pairs(arrays: Arrays, nodes: int, path: Path) -> Numbers:
    """(2, P) int64. Also accepted as (P, 2), and a (2, 2) array is read as that."""
    found = arrays.read("pairs", kinds="iu")
    if found.ndim != 2 or 2 not in found.shape:
        raise fault(path, "shape_invalid", f"pairs must be (P, 2) or (2, P), they are {found.shape}")
    pairs = np.array(found.T if found.shape[1] == 2 else found, dtype=np.int64)
    if pairs.min() < 0 or pairs.max() >= nodes:
        detail = f"pairs name the nodes {pairs.min()} to {pairs.max()}, there are 0 to {nodes - 1}"
        raise fault(path, "node_unknown", detail)
    return pairs


def _owners(arrays: Arrays, edges: Numbers, nodes: int, path: Path) -> Numbers:
    """(N,) int64, the number of each node's graph; a single graph where there is no such array."""
    if "graph" not in arrays.names:
        return np.zeros(nodes, dtype=np.int64)
    graph = np.array(arrays.read("graph", kinds="iu"), dtype=np.int64)
    steps = np.diff(graph) if graph.shape == (nodes,) else np.array([2])
    if graph.flat[0] != 0 or not np.isin(steps, (0, 1)).all():
        raise fault(path, "graph_invalid", f"graph must be ({nodes},) numbers that ascend from 0 without gaps")
    if (graph[edges[0]] != graph[edges[1]]).any():
        raise fault(path, "graph_invalid", "an edge joins nodes of two graphs")
    return graph
