"""What a part of a network looks like as a graph: its paths, and what stands on them.

A part is a block or a cell, by its nodes in topological order. What zeros make of it is left out first, and what only
hands on (norms, activations, sums of one) is drawn together, so that steps and junctions are left:

    step        a weighted layer of kernel 1 ("point") or more ("wide"), a pooling ("pool"), or a direct line from one
                junction to another ("skip")
    junction    where the part begins, where several lines meet, and what several lines leave

The figures are those of path-based encodings, found by dynamic programming along the graph and not by listing paths
(Kadlecová et al. 2024, "Surprisingly strong performance prediction with neural graph features", section 3).
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STEPS = ("point", "wide", "pool", "skip")
SUMS: dict[str, tuple[str, ...]] = {
    **{step: (step,) for step in STEPS},
    "weighted": ("point", "wide"),
    "active": ("point", "wide", "pool"),
}
"""What is counted along a path, and the largest and smallest number found, over all paths."""
SETS = tuple(chosen for size in range(1, len(STEPS)) for chosen in itertools.combinations(STEPS, size))
"""Sets of steps: how long is the longest and the shortest path of these alone?"""

_COUNTED = np.array([[step in steps for step in STEPS] for steps in SUMS.values()], dtype=float)
_ALLOWED = np.array([[0.0 if step in chosen else np.inf for step in STEPS] for chosen in SETS])
_SKIP = STEPS.index("skip")


class Part(NamedTuple):
    """Of each node, in topological order: what it does, and the numbers of the nodes that it reads.

    labels: a name of STEPS, "join" (several inputs meet), "zero", or "" for what hands on.
    inputs: -1 is what comes into the part from outside. ends: the nodes that are read outside.
    """

    labels: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]


class Line(NamedTuple):
    """From one node of the drawn-together graph to another. kind: of its own step (3, a skip), else -1."""

    start: int
    kind: int


class _Drawn(NamedTuple):
    """kinds: place in STEPS of each node, -1 for the start, junctions and the end. lines: those that lead to it."""

    kinds: list[int]
    lines: list[list[Line]]


@lru_cache(maxsize=65_536)
def topology(part: Part) -> Mapping[str, float]:
    """Numbers by name; all 0 where nothing comes through."""
    drawn = _drawn(part)
    if not drawn.lines[-1]:
        return dict.fromkeys(_names(), 0.0)
    ahead, behind, only = _counts(drawn)
    numbers = [np.log1p([ahead[-1], only]), np.log1p(_totals(drawn, ahead, behind)), _degrees(drawn)]
    numbers += [*_extremes(drawn), *_sets(drawn)]
    return dict(zip(_names(), map(float, np.concatenate(numbers)), strict=True))


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    ends = [f"{end}.{step}" for end in ("last", "first") for step in STEPS]
    most = [f"{which}.{name}" for which in ("most", "fewest") for name in SUMS]
    sets = [f"{which}.only.{'+'.join(chosen)}" for which in ("longest", "shortest") for chosen in SETS]
    return ("paths", "paths.skip", *(f"total.{step}" for step in STEPS), *ends, *most, *sets)


def _drawn(part: Part) -> _Drawn:
    """The graph of steps and junctions: number 0 is the start, the last is the end."""
    living = alive(part)
    readers = [0] * (len(living) + 1)
    for number, inputs in enumerate(part.inputs):
        for source in inputs:
            readers[source] += living[number]
    drawn = _Drawn([-1], [[]])
    places = {-1: 0}
    for number, label in enumerate(part.labels):
        if not living[number]:
            continue
        sources = [places[source] for source in part.inputs[number] if source in places]
        if label not in STEPS and len(sources) == 1:
            places[number] = sources[0]
        else:
            places[number] = _add(drawn, STEPS.index(label) if label in STEPS else -1, sources)
        if drawn.kinds[places[number]] >= 0 and readers[number] > 1:
            places[number] = _add(drawn, -1, [places[number]])  # what several lines leave
    _add(drawn, -1, [places[end] for end in part.ends if end in places])
    return drawn


def _add(drawn: _Drawn, kind: int, sources: Sequence[int]) -> int:
    """A line between two junctions is a step, unless it only leads on from one junction alone to the end."""
    alone = len(sources) == 1
    lines = [Line(start, -1 if kind >= 0 or drawn.kinds[start] >= 0 or alone else _SKIP) for start in sources]
    if kind < 0 and alone and sources[0] == 0:
        lines = [Line(0, _SKIP)]  # the part is nothing but a line
    drawn.kinds.append(kind)
    drawn.lines.append(lines)
    return len(drawn.kinds) - 1


@lru_cache(maxsize=65_536)
def alive(part: Part) -> tuple[bool, ...]:
    """Whether anything of the input comes to a node, and from it to an end."""
    reached: list[bool] = []
    for label, inputs in zip(part.labels, part.inputs, strict=True):
        comes = [source < 0 or reached[source] for source in inputs]
        reached.append(label != "zero" and (any(comes) if label == "join" else bool(comes) and all(comes)))
    wanted = set(part.ends)
    for number in range(len(reached) - 1, -1, -1):
        if number in wanted and reached[number]:
            wanted.update(part.inputs[number])
    return tuple([reached[number] and number in wanted for number in range(len(reached))])


def _counts(drawn: _Drawn) -> tuple[list[float], list[float], float]:
    """Paths from the start to each node, from each node to the end, and those of nothing but skips."""
    count = len(drawn.kinds)
    ahead, skips, behind = [1.0] + [0.0] * (count - 1), [1.0] + [0.0] * (count - 1), [0.0] * (count - 1) + [1.0]
    for node in range(1, count):
        ahead[node] = sum([ahead[line.start] for line in drawn.lines[node]])
        if drawn.kinds[node] < 0:
            skips[node] = sum([skips[line.start] for line in drawn.lines[node]])
    for node in range(count - 1, 0, -1):
        for line in drawn.lines[node]:
            behind[line.start] += behind[node]
    return ahead, behind, skips[-1]


def _totals(drawn: _Drawn, ahead: list[float], behind: list[float]) -> Array:
    """How often each step is met on all paths together."""
    totals = np.zeros(len(STEPS))
    for node, kind in enumerate(drawn.kinds):
        if kind >= 0:
            totals[kind] += ahead[node] * behind[node]
        for line in drawn.lines[node]:
            if line.kind >= 0:
                totals[line.kind] += ahead[line.start] * behind[node]
    return totals


def _degrees(drawn: _Drawn) -> Array:
    """How many lines of each step lead to the last junction, and leave the first one."""
    last, first = np.zeros(len(STEPS)), np.zeros(len(STEPS))
    joint = len(drawn.kinds) - 1
    while drawn.kinds[joint] < 0 and len(drawn.lines[joint]) == 1 and drawn.lines[joint][0].kind < 0:
        joint = drawn.lines[joint][0].start
    if drawn.kinds[joint] >= 0:
        last[drawn.kinds[joint]] = 1.0
    else:
        for line in drawn.lines[joint]:
            last[line.kind if line.kind >= 0 else drawn.kinds[line.start]] += 1.0
    for node, lines in enumerate(drawn.lines):
        for line in lines:
            kind = line.kind if line.kind >= 0 else drawn.kinds[node]
            if line.start == 0 and kind >= 0:
                first[kind] += 1.0
    return np.concatenate([last, first])


def _extremes(drawn: _Drawn) -> tuple[Array, Array]:
    """The largest and the smallest sums over all paths."""
    most, fewest = [np.zeros(len(SUMS))], [np.zeros(len(SUMS))]
    for node in range(1, len(drawn.kinds)):
        own = _of(_COUNTED, drawn.kinds[node])
        lines = drawn.lines[node]
        most.append(own + np.max([most[line.start] + _of(_COUNTED, line.kind) for line in lines], axis=0))
        fewest.append(own + np.min([fewest[line.start] + _of(_COUNTED, line.kind) for line in lines], axis=0))
    return most[-1], fewest[-1]


def _sets(drawn: _Drawn) -> tuple[Array, Array]:
    """The longest path of each set's steps alone, 0 where there is none, and one over the shortest."""
    cost = _ALLOWED + 1.0
    most, fewest = [np.zeros(len(SETS))], [np.zeros(len(SETS))]
    for node in range(1, len(drawn.kinds)):
        own, lines = _of(cost, drawn.kinds[node]), drawn.lines[node]
        fewest.append(own + np.min([fewest[line.start] + _of(cost, line.kind) for line in lines], axis=0))
        most.append(np.max([most[line.start] + _barred(_of(cost, line.kind)) for line in lines], axis=0) + _barred(own))
    return np.maximum(most[-1], 0.0), 1.0 / np.maximum(fewest[-1], 1.0)


def _of(table: Array, kind: int) -> Array:
    column: Array = table[:, kind] if kind >= 0 else np.zeros(len(table))
    return column


def _barred(cost: Array) -> Array:
    return np.where(np.isinf(cost), -np.inf, cost)
