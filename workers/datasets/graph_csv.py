"""One graph as two tables.

    nodes.csv    node,label,split,features        edges.csv    source,target
                 a,red,train,0 17 203                          a,b
                 b,,,5 17                                      b,c

`node` is any text, one row each; `label` (may be empty) names a class; `split` is train, val, test or empty;
`features` are the numbers of the features that the node has, blank-separated, from 0. Without a column `features` every
other column is a number of its own. `label` and `split` may be absent. `source` and `target` name nodes.
"""

import csv
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.datasets.columns import columns_note
from workers.datasets.files import Found, text_of
from workers.datasets.graphs import (
    MAX_EDGES,
    MAX_NODES,
    PART_NUMBERS,
    RawGraphs,
    as_edges,
    as_features,
    as_part,
    check_sizes,
    dense,
)
from workers.datasets.raw import MAX_CLASSES, Array, Labels, fault

NODES, EDGES = FILES = ("nodes.csv", "edges.csv")
OWN = ("node", "label", "split", "features")


def read(found: Found, *, ignored: tuple[str, ...], scratch: Path) -> RawGraphs:
    """found: the paths of the two files by their names. Raises InvalidDataset."""
    for name in FILES:
        if name not in found:
            there = ", ".join([*found, *ignored][:20]) or "nothing"
            detail = f"a graph is one .npz file, or {' and '.join(FILES)}; there is no {name}, but {there}"
            raise fault("file_missing", detail, file=name, allowed=list(FILES))
    table = _Nodes(found[NODES], scratch=scratch)
    edges, counts = as_edges(_pairs(found[EDGES], table.numbers), nodes=len(table.x), file=EDGES)
    y, names = _classes(table.labels)
    masks = {part: table.splits == number for part, number in PART_NUMBERS.items() if (table.splits == number).any()}
    return RawGraphs(
        format="graph",
        x=table.x,
        edges=edges,
        y=y,
        class_names=names,
        part=as_part(masks, y, nodes=len(table.x)) if masks else None,
        ignored=ignored,
        names=tuple(table.numbers),
        notes={
            "edges": counts,
            "feature_columns": columns_note("the columns of nodes.csv, left to right", table.columns),
        },
    )


class _Nodes:
    """nodes.csv. numbers: of each node's name. labels: texts. splits: (N,) by PART_NUMBERS. x: features (N, F).

    columns: names of the features; () where they are numbers.
    """

    def __init__(self, path: Path, *, scratch: Path) -> None:
        self.numbers: dict[str, int] = {}
        self.labels: list[str] = []
        splits = array("b")
        self._counts, self._values = array("q"), array("d")
        self._by_number = False
        self.columns: tuple[str, ...] = ()
        for line, row in _rows(path, NODES, needed=("node",)):
            if len(self.numbers) == MAX_NODES:
                raise fault(
                    "too_many_nodes", f"{NODES} lists more than {MAX_NODES} nodes", file=NODES, allowed=MAX_NODES
                )
            if row["node"] in self.numbers:
                raise fault("node_duplicate", f"{NODES} line {line} lists {row['node'][:80]!r} again", file=NODES)
            self.numbers[row["node"]] = len(self.numbers)
            self.labels.append(row.get("label", ""))
            splits.append(_split(row.get("split", ""), line))
            self._features(row, line)
        if not self.numbers:
            raise fault("nodes_missing", f"{NODES} lists no node", file=NODES)
        self.splits = np.array(splits, dtype=np.int8)
        self.x = self._sparse(scratch) if self._by_number else self._table()

    def _features(self, row: dict[str, str], line: int) -> None:
        self._by_number = "features" in row
        self.columns = () if self._by_number else tuple(name for name in row if name not in OWN)
        given = row["features"].split() if self._by_number else [row[name] for name in row if name not in OWN]
        try:
            self._values.extend(map(float, map(int, given) if self._by_number else given))
        except (ValueError, OverflowError) as error:
            raise fault("features_invalid", f"{NODES} line {line}: {str(error)[:200]}", file=NODES) from error
        self._counts.append(len(given))

    def _table(self) -> Array:
        width = self._counts[0]
        check_sizes(len(self._counts), width, 1, file=NODES)
        return as_features(np.array(self._values).reshape(len(self._counts), width), file=NODES)

    def _sparse(self, scratch: Path) -> Array:
        columns = np.array(self._values).astype(np.int64)
        rows = np.repeat(np.arange(len(self._counts)), np.array(self._counts))
        width = int(columns.max(initial=-1)) + 1
        check_sizes(len(self._counts), width, 1, file=NODES)
        if columns.min(initial=0) < 0 or len(np.unique(rows * width + columns)) != len(columns):
            detail = f"features are numbers from 0, each once a node; {NODES} has negative or repeated ones"
            raise fault("features_invalid", detail, file=NODES)
        return dense(rows, columns, None, (len(self._counts), width), scratch=scratch)


def _rows(path: Path, file: str, *, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by column). Raises `table_invalid` for columns that are missing or double, and uneven rows."""
    with text_of(path, file=file) as stream:
        try:
            reader = csv.reader(stream, strict=True)
            heads = [head.strip() for head in next(reader, [])]
            if not set(needed) <= set(heads) or len(set(heads)) != len(heads):
                detail = f"{file} begins with a line of column names, {', '.join(needed)} among them, each once"
                raise fault("table_invalid", detail, file=file, allowed=list(needed))
            for row in reader:
                if len(row) != len(heads):
                    detail = f"{file} line {reader.line_num} has {len(row)} values, its columns are {len(heads)}"
                    raise fault("table_invalid", detail, file=file)
                yield reader.line_num, dict(zip(heads, map(str.strip, row), strict=True))
        except csv.Error as error:
            raise fault("table_invalid", f"{file} is no table of values: {error}", file=file) from error


def _split(text: str, line: int) -> int:
    if text and text not in PART_NUMBERS:
        detail = f"{NODES} line {line}: a split is train, val, test or empty, not {text[:80]!r}"
        raise fault("split_unknown", detail, file=NODES, allowed=[*PART_NUMBERS, ""])
    return PART_NUMBERS.get(text, 0)


def _pairs(path: Path, numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    """(E, 2) node numbers."""
    pairs = array("q")
    for line, row in _rows(path, EDGES, needed=("source", "target")):
        for end in ("source", "target"):
            if row[end] not in numbers:
                detail = f"{EDGES} line {line} names the {end} {row[end][:80]!r}, which {NODES} does not list"
                raise fault("node_unknown", detail, file=EDGES)
            pairs.append(numbers[row[end]])
        if len(pairs) > 2 * MAX_EDGES:
            raise fault("too_many_edges", f"{EDGES} lists more than {MAX_EDGES} edges", file=EDGES, allowed=MAX_EDGES)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _classes(labels: Sequence[str]) -> tuple[Labels | None, tuple[str, ...]]:
    """(N,) class numbers, -1 for an empty label; the names in order of number if all are whole, else of letters."""
    names = {label for label in labels if label}
    if not names:
        return None, ()
    if len(names) > MAX_CLASSES:
        detail = f"{NODES} has {len(names)} different labels, the limit is {MAX_CLASSES}"
        raise fault("labels_invalid", detail, file=NODES, allowed=MAX_CLASSES)
    whole = all(name.removeprefix("-").isdecimal() and len(name) < 20 for name in names)
    ordered = sorted(names, key=lambda name: (int(name), name)) if whole else sorted(names)
    number = {name: i for i, name in enumerate(ordered)} | {"": -1}
    return np.array([number[label] for label in labels], dtype=np.int64), tuple(name[:100] for name in ordered)
