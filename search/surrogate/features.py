"""The features of an architecture that predict how it will perform: what a surrogate compares.

Three groups, each of named numbers:

    graph     the figures of `topology.py` for each part, added up along the network (longest paths, counts and log
              numbers of paths add up over parts in a row, so that fifteen repeats of a cell are fifteen times one);
              how often each layer occurs, and what share of the activations and norms are of each kind
    cost      log parameters, log multiply-accumulates, log receptive field, depth; of each stage its blocks, log
              width, kernel, log sides, parameters and multiply-accumulates; numbers of the training recipe
    choices   the answers to the decisions: an ordered one as a number (its logarithm where all options are positive),
              an unordered one as one column for each option, and one column for whether the decision was asked at all

Which group predicts most differs between spaces: a cell's graph says far more than its six answers, a chain's answers
more than its graph. So `Columns` keeps the groups apart and gives each mean square 1, and the surrogate weights them.

Networks with the same hash may have different features, as a layer may belong to one stage or to the next: so features
may be cached by answers, but not by hash.
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
"""Operations that only connect others, which the topology describes."""

CLIP = 4.0
"""Standard deviations: a feature that hardly varies among random architectures must not outweigh all others."""


def describe(
    architecture: Architecture, measures: Mapping[str, float], decisions: Sequence[Decision], choices: Choices
) -> tuple[Numbers, Numbers, Numbers]:
    """The numbers of each group, in the order of GROUPS; 0.1 to 0.6 ms. measures: of `space.analysis`."""
    parts: dict[str, list[Node]] = {}
    stages: dict[str, list[Node]] = {}
    for node in architecture.nodes:
        part, stage = _part_and_stage(node.name)
        parts.setdefault(part, []).append(node)
        if stage:
            stages.setdefault(stage, []).append(node)
    cost = _costs(architecture, measures)
    for stage, nodes in stages.items():
        blocks = sum(part.startswith(f"{stage}.blocks.") for part in parts)
        cost |= {f"{stage}.{name}": value for name, value in _stage(nodes, blocks).items()}
    return _graph(architecture, parts), cost, answers(decisions, choices)


@lru_cache(maxsize=16_384)
def _part_and_stage(name: str) -> tuple[str, str]:
    """The part and the stage of a node, "" where it is in no stage.

    Parts are the blocks of a stage, the rest of the stage, and whatever else is at the top level.
    """
    words = name.split(".")
    if words[0] == "stages" and len(words) > 2:
        stage = ".".join(words[:2])
        return (".".join(words[:4]) if words[2] == "blocks" else stage), stage
    return words[0], ""


@lru_cache(maxsize=16_384)
def _label(use: Use) -> str:
    """The label of a node in `search.surrogate.topology.Part`."""
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
    """What a node counts as, and the whole it is a share of: ("activation.relu", "activation"), ("conv2d.3", "")."""
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
    """Sums over the parts. Nodes that are on no path from the input to the output of their part are not counted."""
    outer = {architecture.output}  # nodes that are read outside their part
    for node in architecture.nodes:
        own = _part_and_stage(node.name)[0]
        outer.update([source for source in node.inputs if _part_and_stage(source)[0] != own])
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
    """The indices of a node's inputs in its part, -1 for one from outside; index inputs of graph data are not paths.

    A node without inputs is a start of its own.
    """
    count = len(node.inputs) - len(node.use.operation.indices)
    return tuple([places.get(source, -1) for source in node.inputs[:count]]) or (-1,)


def _shares(nodes: Sequence[Node]) -> Numbers:
    """How often each layer occurs; of activations and norms, which accompany the layers, the share of each kind."""
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
    shape = nodes[-1].use.shape  # without the batch: (C, H, W) of images, (C, D, H, W) of volumes, (F,) of nodes
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
    """The numbers of the group choices."""
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
    """The column and the scale of each feature, from a sample of the space.

    names, means, scales, absent: for each group one entry per column, (columns,) as arrays. A feature that does not
    vary in the sample has no column. absent: the value where an architecture lacks the feature, 0 but for the answer to
    an ordered decision: the mean of the sample, so that only the column "asked at all" tells the difference.
    """

    def __init__(self, sample: Sequence[tuple[Numbers, Numbers, Numbers]]) -> None:
        self.names: list[list[str]] = []
        self.means: list[Array] = []
        self.scales: list[Array] = []
        self.absent: list[Array] = []
        for group in range(len(GROUPS)):
            self._learn([row[group] for row in sample], answers=GROUPS[group] == "choices")

    def _learn(self, rows: Sequence[Numbers], *, answers: bool) -> None:
        """One group. rows: of each architecture of the sample. answers: whether the group is choices."""
        names = sorted({name for row in rows for name in row})
        # (sample, names), nan where an architecture lacks the feature
        table = np.array([[row.get(name, math.nan) for name in names] for row in rows]).reshape(len(rows), len(names))
        ordered = np.array([answers and not name.endswith("?") and "=" not in name for name in names], dtype=bool)
        means = np.zeros(len(names))
        for column in np.flatnonzero(ordered):
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
        """(sum of sizes,): standardised and clipped, then divided by the root of the group's number of columns.

        So each group has mean square 1 over the sample, however many columns it has.
        """
        parts = [
            np.clip((self._values(group, row) - self.means[group]) / self.scales[group], -CLIP, CLIP)
            / math.sqrt(max(1, len(self.names[group])))
            for group, row in enumerate(numbers)
        ]
        return np.concatenate(parts)

    def _values(self, group: int, row: Numbers) -> Array:
        """(columns of the group,)."""
        default = self.absent[group]
        return np.array([row.get(name, default[i]) for i, name in enumerate(self.names[group])], dtype=float)
