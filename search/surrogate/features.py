"""An architecture as numbers that say how it will do: what a surrogate compares.

Three groups, each of named numbers:

    graph     what `topology.py` says of the parts, added up along the network (longest paths, counts and log
              numbers of paths of parts in a row do add up, so that fifteen repeats of a cell are fifteen times one);
              how often each layer occurs, and what share of the activations and norms are of each kind
    cost      log parameters, log multiply-accumulates, log receptive field, depth; of each stage its blocks, log
              width, kernel, log sides, parameters and multiply-accumulates; numbers of the training recipe
    choices   the decisions as they were answered: a scale as a number (its logarithm where all options are positive),
              a kind as one column for each option, and one column for whether the question was asked at all

Which group tells most differs between spaces: a cell's graph says far more than its six answers, a chain's answers
more than its graph. So `Columns` keeps them apart and gives each the same weight, and the surrogate weighs them.

Networks with one hash may be described differently, as a layer may stand in one stage or in the next: so descriptions
may be remembered by answers, and never by hash.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from search.surrogate.topology import Part, alive, topology
from space.architecture import Architecture
from space.decision import Choices, Decision, Option
from space.node import Node
from space.operations.use import Use

Array = npt.NDArray[np.float64]
Numbers = dict[str, float]

GROUPS = ("graph", "cost", "choices")

UNCOUNTED = ("input", "index", "add", "identity", "flatten", "zero")
"""Operations that are a matter of how lines meet, which the topology tells."""

CLIP = 4.0
"""Standard deviations: a feature that hardly varies among random architectures must not drown all others."""


def describe(
    architecture: Architecture, measures: Mapping[str, float], decisions: Sequence[Decision], choices: Choices
) -> tuple[Numbers, Numbers, Numbers]:
    """The groups, in order. measures: what `space.analysis` found. 0.1 to 0.6 ms."""
    parts: dict[str, list[Node]] = {}
    stages: dict[str, list[Node]] = {}
    for node in architecture.nodes:
        part, stage = _place(node.name)
        parts.setdefault(part, []).append(node)
        if stage:
            stages.setdefault(stage, []).append(node)
    cost = _costs(architecture, measures)
    for stage, nodes in stages.items():
        blocks = sum(part.startswith(f"{stage}.blocks.") for part in parts)
        cost |= {f"{stage}.{name}": value for name, value in _stage(nodes, blocks).items()}
    return _graph(architecture, parts), cost, answers(decisions, choices)


@lru_cache(maxsize=16_384)
def _place(name: str) -> tuple[str, str]:
    """The part and the stage of a node. Parts: a block of a stage, the rest of the stage, what else is at the top."""
    words = name.split(".")
    if words[0] == "stages" and len(words) > 2:
        stage = ".".join(words[:2])
        return (".".join(words[:4]) if words[2] == "blocks" else stage), stage
    return words[0], ""


@lru_cache(maxsize=16_384)
def _label(use: Use) -> str:
    """What a node is on a path; see `search.surrogate.topology`."""
    operation = use.operation
    if operation.weighted:
        return "wide" if use.window is not None and max(use.window.kernel) > 1 else "point"
    if operation.name == "zero":
        return "zero"
    if use.window is not None and "pool" in operation.name and max(use.window.kernel) > 1:
        return "pool"
    return "join" if operation.arity[1] > 1 and not operation.indices else ""


@lru_cache(maxsize=16_384)
def _kinds(use: Use) -> tuple[str, str]:
    """What a node is counted as, and what its share is of: ("activation.relu", "activation") or ("conv2d.3", "")."""
    operation = use.operation
    if operation.weighted:
        size = max(use.window.kernel) if use.window is not None else 1
        grouped = "" if use.attrs.get("groups", 1) in (1, True) else ".grouped"
        return f"{operation.name}.{size}{grouped}", ""
    if operation.name == "activation":
        return f"activation.{use.attrs['kind']}", "activation"
    if operation.name.endswith("_norm"):
        return operation.name, "norm"
    return operation.name, ""


def _graph(architecture: Architecture, parts: Mapping[str, Sequence[Node]]) -> Numbers:
    """Sums over the parts. What nothing comes through, or leads on from, is not counted."""
    outer = {architecture.output}
    for node in architecture.nodes:
        place = _place(node.name)[0]
        outer.update([source for source in node.inputs if _place(source)[0] != place])
    total: Numbers = {}
    living: list[Node] = []
    for nodes in parts.values():
        part = _part(nodes, outer)
        for name, value in topology(part).items():
            if value:
                total[name] = total.get(name, 0.0) + value
        living += itertools.compress(nodes, alive(part))
    return total | _shares(living)


def _part(nodes: Sequence[Node], outer: set[str]) -> Part:
    places = {node.name: number for number, node in enumerate(nodes)}
    return Part(
        labels=tuple([_label(node.use) for node in nodes]),
        inputs=tuple([_sources(node, places) for node in nodes]),
        ends=tuple([number for name, number in places.items() if name in outer]),
    )


def _sources(node: Node, places: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of what a node computes with; indices of graph data are no path. What reads nothing is a start."""
    count = len(node.inputs) - len(node.use.operation.indices)
    return tuple([places.get(source, -1) for source in node.inputs[:count]]) or (-1,)


def _shares(nodes: Sequence[Node]) -> Numbers:
    """How often each layer occurs; of activations and norms, which go with the layers, the share of each kind."""
    counts = Counter([_kinds(node.use) for node in nodes])
    wholes = Counter([_kinds(node.use)[1] for node in nodes])
    return {
        f"{'share' if whole else 'count'}.{kind}": count / (wholes[whole] if whole else 1)
        for (kind, whole), count in counts.items()
        if kind not in UNCOUNTED
    }


def _costs(architecture: Architecture, measures: Mapping[str, float]) -> Numbers:
    cost = {
        "params": math.log1p(measures["params"]),
        "macs": math.log1p(measures["macs"]),
        "receptive_field": math.log1p(measures["receptive_field"]),
        "depth": float(measures["depth"]),
    }
    for name, value in architecture.training.items():
        if not isinstance(value, str):
            cost[f"training.{name}"] = _scale(value, positive=name == "learning_rate")
    return cost


def _stage(nodes: Sequence[Node], blocks: int) -> Numbers:
    shape = nodes[-1].use.shape
    kernels = [max(node.use.window.kernel) for node in nodes if node.use.operation.weighted and node.use.window]
    return {
        "blocks": float(blocks),
        "width": math.log2(shape[0]) if shape else 0.0,
        "side": math.log2(max(shape[1:], default=1)),
        "kernel": sum(kernels) / max(1, len(kernels)),
        "params": math.log1p(sum([node.use.params for node in nodes])),
        "macs": math.log1p(sum([node.use.macs for node in nodes])),
    }


def answers(decisions: Sequence[Decision], choices: Choices) -> Numbers:
    """The third group."""
    return dict(_answers(decisions, choices))


def _answers(decisions: Sequence[Decision], choices: Choices) -> Iterable[tuple[str, float]]:
    for decision in decisions:
        name, answer = decision.name, choices[decision.name]
        yield f"{name}?", 1.0
        if decision.ordered and not isinstance(answer, str):
            yield name, _scale(answer, positive=min(map(float, decision.options)) > 0)
        else:
            yield f"{name}={_spelled(answer)}", 1.0


def _scale(value: Option, *, positive: bool) -> float:
    return math.log2(float(value)) if positive else float(value)


def _spelled(option: Option) -> str:
    return f"{type(option).__name__} {option}"


class Columns:
    """Where each feature stands in a vector, and its scale, from a sample of the space.

    A feature that does not vary in the sample is left out. What a scale's answer is where the question was not asked:
    the mean of the sample, so that only the column "asked at all" tells the difference.
    """

    def __init__(self, sample: Sequence[tuple[Numbers, Numbers, Numbers]]) -> None:
        self.names: list[list[str]] = []
        self.means: list[Array] = []
        self.scales: list[Array] = []
        self.absent: list[Array] = []
        for group in range(len(GROUPS)):
            self._learn([row[group] for row in sample], answers=GROUPS[group] == "choices")

    def _learn(self, rows: Sequence[Numbers], *, answers: bool) -> None:
        names = sorted({name for row in rows for name in row})
        table = np.array([[row.get(name, math.nan) for name in names] for row in rows]).reshape(len(rows), len(names))
        scaled = np.array([answers and not name.endswith("?") and "=" not in name for name in names], dtype=bool)
        means = np.zeros(len(names))
        for column in np.flatnonzero(scaled):
            means[column] = np.nanmean(table[:, column])
        table = np.where(np.isnan(table), means, table)
        spread = table.std(axis=0) if len(rows) else np.zeros(0)
        kept = np.flatnonzero(spread > 1e-9)
        self.names.append([names[column] for column in kept])
        self.means.append(table.mean(axis=0)[kept] if len(rows) else np.zeros(0))
        self.scales.append(spread[kept])
        self.absent.append(means[kept])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Columns of each group."""
        return tuple(map(len, self.names))

    def vector(self, numbers: tuple[Numbers, Numbers, Numbers]) -> Array:
        """(sum of sizes,): standardised, each group of mean square 1 over the sample."""
        parts = [
            np.clip((self._values(group, row) - self.means[group]) / self.scales[group], -CLIP, CLIP)
            / math.sqrt(max(1, len(self.names[group])))
            for group, row in enumerate(numbers)
        ]
        return np.concatenate(parts)

    def _values(self, group: int, row: Numbers) -> Array:
        default = self.absent[group]
        return np.array([row.get(name, default[i]) for i, name in enumerate(self.names[group])], dtype=float)
