"""Which channels of a network depend on each other and must be removed, or kept, together.

A channel stays the same channel through every operation that works channel by channel: its batch norm, the sum with a
shortcut, its place in a concatenation, the features that a flatten makes of its pixels. A group of channels ends, and
others begin, at the convolutions and linear layers that mix all channels. So each group can be cut out of the layers
that write it and of those that read it, which leaves a smaller network of the same kind (Li et al. 2017, section 3.3,
for residual networks; Fang et al. 2023 call it a dependency graph).

    grouped convolution   keeps its number of groups, so the same places are removed from every group
    depthwise convolution a channel is removed with its own filters
    channel shuffle       the same places are removed from every group
    group norm            one group or one per channel: no constraint; else the same places from every group
    shared weights        the same channels are removed from all repeats
    input, logits, and operations not known here: nothing is removed
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from space.architecture import Architecture
from space.node import Node
from space.operations.base import Channels

Numbers = NDArray[np.int64]
FIXED = 0
"""The group of all channels that cannot be removed."""

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose2d",)
"""Operations whose weight is (in, out, *kernel) and not (out, in, *kernel)."""
WRITERS = (*CONVOLUTIONS, *TRANSPOSED, "linear", "gcn_conv", "gat_conv")
"""Operations whose attribute `out` is the number of channels they write."""


class Ties:
    """Groups of channels of one architecture.

    groups: by node (C,) int64, the number of each channel's group, `FIXED` for those that must stay. Nodes without
    channels (indices of graphs) are absent.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self._parent: list[int] = [FIXED]
        self._own: dict[str, Numbers] = {}
        for node in architecture.nodes:
            if shape := architecture.shapes[node.name]:
                first = len(self._parent)
                self._own[node.name] = np.arange(first, first + shape[0])
                self._parent += range(first, first + shape[0])
        for node in architecture.nodes:
            if node.name in self._own:
                self._tie(node)
        self._fix(self._own[architecture.output])
        self.groups: Mapping[str, Numbers] = {
            name: np.array([self._root(number) for number in own]) for name, own in self._own.items()
        }

    def families(self) -> dict[tuple[str, ...], Numbers]:
        """The removable groups, (n,) numbers each, by the layers that write them: interchangeable within a family."""
        writers: dict[int, list[str]] = {}
        for node in self.architecture.nodes:
            if node.op in WRITERS and not _depthwise(node):
                for group in np.unique(self.groups[node.name]):
                    writers.setdefault(int(group), []).append(node.name)
        found: dict[tuple[str, ...], list[int]] = {}
        for group, names in writers.items():
            if group != FIXED:
                found.setdefault(tuple(names), []).append(group)
        return {names: np.array(groups) for names, groups in found.items()}

    def kept(self, removed: Numbers) -> dict[str, Numbers]:
        """By node, the numbers of the channels that stay when these groups are removed, ascending. removed: (n,)."""
        return {name: np.flatnonzero(~np.isin(groups, removed)) for name, groups in self.groups.items()}

    def _root(self, number: int) -> int:
        """The representative of a group, by union-find with path compression."""
        path = []
        while self._parent[number] != number:
            path.append(number)
            number = self._parent[number]
        for passed in path:
            self._parent[passed] = number
        return number

    def _same(self, some: Numbers, others: Numbers) -> None:
        """Merges the groups pairwise. The lower number becomes the root, so that `FIXED` stays a root."""
        for a, b in zip(some.tolist(), others.tolist(), strict=True):
            low, high = sorted((self._root(a), self._root(b)))
            self._parent[high] = low

    def _fix(self, channels: Numbers) -> None:
        self._same(channels, np.full(len(channels), FIXED))

    def _tie(self, node: Node) -> None:
        out = self._own[node.name]
        inputs = [self._own[source] for source in node.inputs if source in self._own]
        rule = RULES.get(node.op)
        if node.op in CONVOLUTIONS:
            _convolution(self, node, out, inputs)
        elif rule is not None:
            rule(self, node, out, inputs)
        elif node.use.channels is Channels.KEEPS and inputs and len(inputs[0]) == len(out):
            self._same(out, inputs[0])
        elif node.op not in WRITERS:
            for channels in (out, *inputs):
                self._fix(channels)
        if node.weights is not None:
            owner = next(other for other in self.architecture.nodes if other.name == node.weights)
            self._same(out, self._own[owner.name])
            for mine, theirs in zip(node.inputs, owner.inputs, strict=True):
                if mine in self._own:
                    self._same(self._own[mine], self._own[theirs])

    def _alike(self, channels: Numbers, groups: int) -> None:
        """Channels at the same place of each of the `groups` blocks are removed together."""
        places = channels.reshape(groups, -1)
        for row in places[1:]:
            self._same(row, places[0])


Rule = Callable[[Ties, Node, Numbers, Sequence[Numbers]], None]


def _convolution(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    groups = cast(int, node.attrs["groups"])
    if groups == 1:
        return
    if _depthwise(node):
        ties._same(out, np.repeat(inputs[0], len(out) // len(inputs[0])))
        return
    ties._alike(inputs[0], groups)
    ties._alike(out, groups)


def _depthwise(node: Node) -> bool:
    """Whether each channel has its own filters and is read by no others."""
    return node.op in CONVOLUTIONS and 1 != node.attrs["groups"] == node.use.inputs[0][0]


def _all_alike(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    for channels in inputs:
        ties._same(out, channels)


def _concat(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    ties._same(out, np.concatenate(inputs))


def _flatten(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    ties._same(out, np.repeat(inputs[0], math.prod(node.use.inputs[0][1:])))


def _attend(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    queries, keys, values = inputs
    ties._same(queries, keys)
    ties._same(out, values)


def _shuffle(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    groups = cast(int, node.attrs["groups"])
    ties._alike(inputs[0], groups)
    ties._same(out, inputs[0].reshape(groups, -1).T.reshape(-1))


def _group_norm(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    groups = cast(int, node.attrs["groups"])
    if groups not in (1, len(out)):
        ties._alike(inputs[0], groups)
    ties._same(out, inputs[0])


def _heads(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    ties._alike(out, cast(int, node.attrs["heads"]))


def _ends(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    ties._same(out, np.concatenate([inputs[0], inputs[0]]))


def _nothing(ties: Ties, node: Node, out: Numbers, inputs: Sequence[Numbers]) -> None:
    """For an operation that multiplies the two ends of a pair channel by channel and writes logits."""


RULES: Mapping[str, Rule] = {
    "add": _all_alike,
    "multiply": _all_alike,
    "gate": _all_alike,
    "concat": _concat,
    "flatten": _flatten,
    "attend": _attend,
    "channel_shuffle": _shuffle,
    "group_norm": _group_norm,
    "gat_conv": _heads,
    "link_concat": _ends,
    "link_dot": _nothing,
}
"""Rules of the operations that neither mix all channels nor work channel by channel, or that move channels."""
