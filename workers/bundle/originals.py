"""The files that a data set was made of, given to `archsmith predict`: read by the data set's own readers.

So every format of a data set is one of `predict`, read in the same way, with the same limits and the same messages. The
columns of features of nodes are put in the model's order by their names, or counted where they have none.
"""

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from workers.bundle.given import Given, fault, remark, typed
from workers.bundle.manifest import Array, Manifest
from workers.datasets import idx
from workers.datasets.check import names_of_rows
from workers.datasets.columns import arranged, assumed, names_of
from workers.datasets.graphs import RawGraphs, both_ways
from workers.datasets.ingest import FORMATS
from workers.datasets.raw import RawDataset

NODES, EDGES, PAIRS = "nodes.csv", "edges.csv", "pairs.csv"
TABLES = (NODES, EDGES, PAIRS)
FITS = {"fit": "crop", "auto": "auto", "pad": "pad"}
"""How the data set's readers call what the manifest says of picture files."""
ROWS = 4096
"""Samples at a time: of pictures of 3×224×224 as float32 2.5 GB, of 1×28×28 13 MB."""
MAX_VALUES = 2**26
"""Values at a time, where samples are large: 256 MB as float32."""


def groups(paths: Sequence[Path]) -> list[list[Path]]:
    """Files that belong together: tables of one graph, texts of one TU data set; each other file alone.

    Files of labels are left out where their pictures are given too.
    """
    tables = [path for path in paths if path.name in TABLES]
    texts = [path for path in paths if path.suffix == ".txt"]
    shared = {id(path) for group in (tables, texts) if len(group) > 1 for path in group}
    pictures = any(_is_idx(path) and "labels" not in path.name for path in paths)
    alone = [
        [path]
        for path in paths
        if id(path) not in shared and not (pictures and _is_idx(path) and "labels" in path.name)
    ]
    return [*(group for group in (tables, texts) if len(group) > 1), *alone]


def read_originals(paths: Sequence[Path], manifest: Manifest) -> Iterator[Given]:
    """Files of one data set -> its rows, a bounded number at a time. Raises InvalidBundle, InvalidDataset."""
    with tempfile.TemporaryDirectory(prefix="archsmith-predict-") as place:
        if manifest.is_graph:
            yield _graphs(paths, manifest, Path(place))
        elif len(paths) == 1 and _is_idx(paths[0]):
            x = idx.pictures(paths[0], scratch=Path(place), transpose=manifest.preprocessing.transposed)
            yield from _pieces([x], lambda row: f"{paths[0].name}[{row}]", manifest, paths[0])
        else:
            raw = _read(paths, _format(paths[0], manifest), manifest, Path(place))
            yield from _pieces(raw.pieces, _named(raw, paths[0]), manifest, paths[0])


def _named(raw: RawDataset, path: Path) -> Callable[[int], str]:
    """As the check of a data set names its rows, with the file before a number."""
    named = names_of_rows(raw.parts, raw.names, noun="picture" if raw.kind == "image" else raw.kind)
    return named if raw.names else lambda row: f"{path.name} {named(row)}"


def _is_idx(path: Path) -> bool:
    return path.name.endswith(("ubyte", "ubyte.gz"))


def _format(path: Path, manifest: Manifest) -> str:
    """Of a picture's or volume's file: by its ending where that says it, else that of the data set."""
    known = {".npz": "npz", ".zip": "images"}.get(path.suffix.lower(), manifest.preprocessing.source)
    if path.suffix.lower() == ".zip" and manifest.preprocessing.source in FORMATS:
        known = manifest.preprocessing.source
    if known not in FORMATS:
        raise fault(path, "kind_unsuitable", f"nothing is known of files like {path.name}; give pictures, .npy or .npz")
    if "image_size" in FORMATS[known].options and manifest.preprocessing.pictures == "exact":
        detail = "the model was not trained on picture files, so how to scale those of an archive is not known; give "
        raise fault(path, "kind_unsuitable", detail + "single pictures of the model's size")
    return known


def _read(paths: Sequence[Path], format: str, manifest: Manifest, scratch: Path) -> RawDataset:  # noqa: A002
    """Raises InvalidDataset as an upload would."""
    kind = FORMATS[format]
    source = paths[0] if kind.single else list(paths)
    given = manifest.preprocessing
    options = {"image_size": manifest.input_shape[-1], "image_fit": FITS.get(given.pictures), "problem": given.problem}
    options |= {"transpose": True} if given.transposed else {}
    found = kind.read(source, scratch=scratch, **{name: options[name] for name in kind.options if name in options})
    if isinstance(found, RawGraphs):
        raise fault(paths[0], "kind_unsuitable", f"this is a graph, the model takes {manifest.data}s")
    return found


def _pieces(pieces: Sequence[Array], named: Callable[[int], str], manifest: Manifest, path: Path) -> Iterator[Given]:
    start = 0
    for piece in pieces:
        x = _channels(piece, manifest, path)
        step = max(1, min(ROWS, MAX_VALUES // int(np.prod(x.shape[1:]))))
        for at in range(0, len(x), step):
            values = typed(np.ascontiguousarray(x[at : at + step]), manifest, path)
            rows = [named(start + at + row) for row in range(len(values))]
            yield Given(arrays={"x": values}, rows=rows, remark=remark(values, manifest))
        start += len(piece)


def _channels(x: Array, manifest: Manifest, path: Path) -> Array:
    """(N, C, …) with the model's channels: grey pictures have three equal ones. Raises InvalidBundle."""
    wanted = tuple(manifest.input_shape)
    if x.shape[1:] != wanted and x.shape[2:] == wanted[1:]:
        if x.shape[1] == 1 and wanted[0] == 3:
            return np.broadcast_to(x, (len(x), *wanted))
        if x.shape[1] == 3 and wanted[0] == 1:
            if (x != x[:, :1]).any():
                raise fault(path, "mode_unsuitable", "the model takes grey pictures, these have colours")
            return x[:, :1]
    if x.shape[1:] != wanted:
        detail = f"the model takes {manifest.data}s of {wanted}, these are {tuple(x.shape[1:])}"
        raise fault(path, "shape_mismatch", detail)
    return x


# ---- graphs


def _graphs(paths: Sequence[Path], manifest: Manifest, scratch: Path) -> Given:
    tables = [path for path in paths if path.name != PAIRS]
    kind = FORMATS["tu" if manifest.data == "graphs" else "graph"]
    raw = kind.read(tables, scratch=scratch)
    if not isinstance(raw, RawGraphs) or (raw.graph is None) != (manifest.data != "graphs"):
        raise fault(paths[0], "kind_unsuitable", f"this does not hold what a model of {manifest.data} takes")
    x, said = _features(raw, manifest, paths[0])
    found: dict[str, Array] = {"x": x, "edges": both_ways(raw.edges)}
    names = list(raw.names) or [str(number) for number in range(len(x))]
    rows = [f"{paths[0].name} node {name}" for name in names]
    if raw.graph is not None:
        found["graph"] = raw.graph
        rows = [f"{paths[0].name} graph {number + 1}" for number in range(int(raw.graph[-1]) + 1)]
    elif manifest.data == "links":
        found["pairs"], rows = _pairs(paths, names)
    return Given(arrays=found, rows=rows, remark="; ".join(part for part in (said, remark(x, manifest)) if part))


def _features(raw: RawGraphs, manifest: Manifest, path: Path) -> tuple[Array, str]:
    """(N, F) with the columns of the training, and what was done to them. Raises InvalidBundle, InvalidDataset."""
    given, wanted = names_of(raw.notes), manifest.preprocessing.columns
    x, said = np.array(raw.x), ""
    if not given:
        said = assumed(wanted)
    elif wanted:
        x, said = arranged(x, given, wanted, file=path.name, one_hot=manifest.data == "graphs")
    if x.shape[1:] != manifest.input_shape:
        detail = f"the model takes nodes of {manifest.input_shape[0]} features, these have {x.shape[1]}"
        raise fault(path, "shape_mismatch", detail)
    return typed(x, manifest, path), said


def _pairs(paths: Sequence[Path], names: Sequence[str]) -> tuple[Array, list[str]]:
    """(2, P) numbers of nodes from pairs.csv, which names them as nodes.csv does, and what each pair is called."""
    path = next((path for path in paths if path.name == PAIRS), None)
    if path is None:
        detail = f"the pairs of nodes to judge are wanted too: {PAIRS} with the columns source and target, beside "
        raise fault(paths[0], "file_missing", detail + f"{NODES} and {EDGES}")
    number = {name: place for place, name in enumerate(names)}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            table = [(row["source"].strip(), row["target"].strip()) for row in csv.DictReader(stream, restval="")]
        except (KeyError, csv.Error, UnicodeDecodeError):
            detail = f"{PAIRS} begins with the column names source,target and has two nodes a line"
            raise fault(path, "table_invalid", detail) from None
    for line, ends in enumerate(table, start=2):
        for end in ends:
            if end not in number:
                raise fault(
                    path, "node_unknown", f"{PAIRS} line {line} names {end[:80]!r}, which {NODES} does not list"
                )
    if not table:
        raise fault(path, "table_invalid", f"{PAIRS} lists no pair")
    pairs = np.array([[number[a], number[b]] for a, b in table], dtype=np.int64).T
    return pairs, [f"{PAIRS} pair {a}-{b}" for a, b in table]
