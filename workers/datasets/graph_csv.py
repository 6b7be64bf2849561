"""One graph as two tables.

    nodes.csv    node,label,split,features        edges.csv    source,target
                 a,red,train,0 17 203                          a,b
                 b,,,5 17                                      b,c

`node` is any text, one row each; `label` (may be empty) names a class; `split` is train, val, test or empty;
`features` are the numbers of the features that the node has, blank-separated, from 0. Without a column `features` every
other column is a number of its own, and without any the number of neighbours is the feature. `label` and `split` may
be absent. `source` and `target` name nodes; further columns of edges.csv are left out, which is said. Columns are
separated by commas, or by semicolons (with decimal commas) or tabs where the first line has no comma.
"""

import csv
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.datasets.columns import columns_note
from workers.datasets.degrees import degree_features
from workers.datasets.files import Found, text_of
from workers.datasets.graph_answers import label_answers
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
from workers.datasets.raw import Array, fault
from workers.datasets.strata import known

NODES, EDGES = FILES = ("nodes.csv", "edges.csv")
OWN = ("node", "label", "split", "features")
LIKE_LABELS = ("labels", "class", "classes", "y", "target", "category")
MAX_LINE = 2**20


def read(found: Found, *, ignored: tuple[str, ...], scratch: Path, problem: str | None = None) -> RawGraphs:
    """found: the paths of the two files by their names. problem: the option. Raises InvalidDataset."""
    for name in FILES:
        if name not in found:
            there = ", ".join([*found, *ignored][:20]) or "nothing"
            detail = f"a graph is one .npz file, or {' and '.join(FILES)}; there is no {name}, but {there}"
            raise fault("file_missing", detail, file=name, allowed=list(FILES))
    table = _Nodes(found[NODES], scratch=scratch)
    nodes = len(table.numbers)
    listed, dropped = _pairs(found[EDGES], table.numbers)
    edges, counts = as_edges(listed, nodes=nodes, file=EDGES)
    x, columns, remarks = table.x, columns_note("the columns of nodes.csv, left to right", table.columns), []
    if x is None:
        x, neighbours = degree_features(edges, nodes=nodes, file=EDGES)
        columns = columns_note("the number of neighbours, one-hot", neighbours)
        remarks = [f"{NODES} has no features: they are the numbers of neighbours, one-hot"]
    answers = label_answers(table.labels, file=NODES, asked=problem)
    y = answers.y.get("y")
    unknown = None if y is None else np.where(known(y, answers.problem), 0, -1)
    masks = {part: table.splits == number for part, number in PART_NUMBERS.items() if (table.splits == number).any()}
    said = (
        f"the column {name} of {EDGES} is left out: edges carry neither weights nor labels here" for name in dropped
    )
    return RawGraphs(
        format="graph",
        x=x,
        edges=edges,
        y=y,
        problem=answers.problem,
        class_names=answers.names,
        part=as_part(masks, unknown, nodes=nodes) if masks else None,
        warnings=(*remarks, *answers.warnings, *said),
        ignored=ignored,
        names=tuple(table.numbers),
        notes={"edges": counts, "feature_columns": columns},
    )


class _Nodes:
    """nodes.csv. numbers: of each node's name. labels: texts. splits: (N,) by PART_NUMBERS.

    x: features (N, F), None without any. columns: their names, () where the features are listed by number.
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
        self.x = self._given(scratch)

    def _features(self, row: dict[str, str], line: int) -> None:
        self._by_number = "features" in row
        self.columns = () if self._by_number else tuple(name for name in row if name not in OWN)
        _check_columns(row, self.columns)
        given = row["features"].split() if self._by_number else [row[name] for name in self.columns]
        try:
            self._values.extend(map(float, map(int, given) if self._by_number else given))
        except (ValueError, OverflowError) as error:
            raise fault("features_invalid", f"{NODES} line {line}: {str(error)[:200]}", file=NODES) from error
        self._counts.append(len(given))

    def _given(self, scratch: Path) -> Array | None:
        if self._by_number:
            return self._sparse(scratch)
        return self._table() if self.columns else None

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


def _check_columns(row: dict[str, str], columns: Sequence[str]) -> None:
    """A class among the features would be learnt from itself."""
    if "label" not in row and (odd := [name for name in columns if name.lower() in LIKE_LABELS]):
        detail = (
            f"{NODES} has a column {odd[0]} and no column label: name it label if it holds the classes, else rename it"
        )
        raise fault("table_invalid", detail, file=NODES)


def _separator(first: str) -> str:
    return next((mark for mark in ",;\t" if mark in first), ",")


def _rows(path: Path, file: str, *, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by column). Raises `table_invalid` for columns that are missing or double, and uneven rows."""
    with text_of(path, file=file) as stream:
        try:
            mark = _separator(stream.readline(MAX_LINE))
            stream.seek(0)
            reader = csv.reader(stream, strict=True, delimiter=mark)
            heads = [head.strip() for head in next(reader, [])]
            if not set(needed) <= set(heads) or len(set(heads)) != len(heads):
                detail = f"{file} begins with a line of column names, {', '.join(needed)} among them, each once"
                raise fault("table_invalid", detail, file=file, allowed=list(needed))
            for row in reader:
                if len(row) != len(heads):
                    detail = f"{file} line {reader.line_num} has {len(row)} values, its columns are {len(heads)}"
                    raise fault("table_invalid", detail, file=file)
                values = dict(zip(heads, map(str.strip, row), strict=True))
                yield reader.line_num, values if mark != ";" else _decimals(values)
        except csv.Error as error:
            raise fault("table_invalid", f"{file} is no table of values: {error}", file=file) from error


def _decimals(values: dict[str, str]) -> dict[str, str]:
    """Decimal commas as points, which tables with semicolons have."""
    return {name: text if name in OWN else text.replace(",", ".") for name, text in values.items()}


def _split(text: str, line: int) -> int:
    if text and text not in PART_NUMBERS:
        detail = f"{NODES} line {line}: a split is train, val, test or empty, not {text[:80]!r}"
        raise fault("split_unknown", detail, file=NODES, allowed=[*PART_NUMBERS, ""])
    return PART_NUMBERS.get(text, 0)


def _pairs(path: Path, numbers: dict[str, int]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """(E, 2) node numbers, and the names of the other columns."""
    pairs = array("q")
    others: tuple[str, ...] = ()
    for line, row in _rows(path, EDGES, needed=("source", "target")):
        others = tuple(name for name in row if name not in ("source", "target"))
        for end in ("source", "target"):
            if row[end] not in numbers:
                detail = f"{EDGES} line {line} names the {end} {row[end][:80]!r}, which {NODES} does not list"
                raise fault("node_unknown", detail, file=EDGES)
            pairs.append(numbers[row[end]])
        if len(pairs) > 2 * MAX_EDGES:
            raise fault("too_many_edges", f"{EDGES} lists more than {MAX_EDGES} edges", file=EDGES, allowed=MAX_EDGES)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), others
