"""NAS-Bench-201 for tests: the published table, the laws of its counts, and by brute force which cells are the same."""

import csv
import gzip
import itertools
from typing import NamedTuple

from space import presets
from space.architecture import Architecture
from space.space import Space, replay
from tests.unit.workers.sources import shared_data

WORDS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class Row(NamedTuple):
    """code: six digits, the words of the edges in order. mmacs: millions, 6 digits. group: of cells called the same."""

    code: str
    params: int
    mmacs: str
    group: int


def table() -> list[Row]:
    """The published figures of all 15,625 cells for CIFAR-10; skips the test where the file is not."""
    path = shared_data("nasbench201", "nasbench201_cifar10.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            Row(row["op_code"], int(row["params_c10"]), row["flops_m_c10"], int(row["unique_id"]))
            for row in csv.DictReader(file)
        ]


def space(*, dead: str = "keep") -> Space:
    """The preset on CIFAR-10."""
    document = presets.load("nasbench201") | {"dead": dead}
    return Space.parse(document, input_shape=(3, 32, 32), classes=10)


def cell(of: Space, code: str) -> Architecture:
    """The network of one cell."""
    answers = {f"cell.edge{start}_{end}": WORDS[int(digit)] for (start, end), digit in zip(EDGES, code, strict=True)}
    return of.sample(replay(dict(answers)))


def counts(code: str) -> tuple[int, int]:
    """Parameters and MACs by law: each convolution of the cell counts, whatever becomes of its result."""
    small, large = code.count("2"), code.count("3")
    return 73_306 + 28_000 * small + 243_040 * large, 7_783_040 + 3_932_160 * small + 35_389_440 * large


Value = tuple[int, ...]
"""A sum: its terms in order, an operation's number or -1 for what comes into the cell; () for zeros."""


Term = tuple[Value, tuple[tuple[str, Value], ...]]
"""The output and the operations, each with what comes into it."""


def same(code: str) -> Term:
    """Equal for cells that are the same function with the same free weights, found without any graph.

    Zeros add nothing, a pooling of zeros is zeros, and convolution and norm of zeros are a learned constant, of
    whatever kernel. Operations are numbered in every way, and the smallest description counts.
    """
    values: list[Value] = [(-1,), (), (), ()]
    operations: list[tuple[str, Value]] = []
    for (start, end), digit in zip(EDGES, code, strict=True):
        word, source = WORDS[int(digit)], values[start]
        if word == "none" or (word in ("skip_connect", "avg_pool_3x3") and not source):
            continue
        if word != "skip_connect":
            operations.append((word if source else "constant", source))
            source = (len(operations) - 1,)
        values[end] = tuple(sorted((*values[end], *source)))
    return min(_renamed(operations, values[3], order) for order in _orders(operations, values[3]))


def _orders(operations: list[tuple[str, Value]], output: Value) -> list[tuple[int, ...]]:
    """All orders of the operations that the output depends on."""
    living: set[int] = set()
    queue = [*output]
    while queue:
        number = queue.pop()
        if number >= 0 and number not in living:
            living.add(number)
            queue += operations[number][1]
    return list(itertools.permutations(sorted(living)))


def _renamed(operations: list[tuple[str, Value]], output: Value, order: tuple[int, ...]) -> Term:
    new = {-1: -1} | {old: number for number, old in enumerate(order)}

    def value(old: Value) -> Value:
        return tuple(sorted(new[term] for term in old))

    return value(output), tuple((operations[old][0], value(operations[old][1])) for old in order)
