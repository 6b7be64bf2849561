"""Which channels of a network hang together: what must be removed, or kept, as one.

A channel of one map is the same channel in every map that is made from it one by one: after its batch norm, in the sum
with a shortcut, in its place of a concatenation, as the row of pixels that a flatten makes of it. Convolutions and
linear layers that mix all channels are where one group of channels ends and another begins. So each group can be cut
out of the layers that write it and of those that read it, and what is left is a smaller network of the same kind
(Li et al. 2017, section 3.3, for residual networks; Fang et al. 2023 call it a dependency graph).

    grouped convolution   keeps its number of groups, so the same places leave every group
    depthwise convolution a channel leaves with its own filters
    channel shuffle       the same places of every group leave
    group norm            one group or one per channel: as it is; else the same places leave every group
    shared weights        the same channels leave all repeats
    input, logits, and what reads them in a way not known here: nothing leaves
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
"""The group of all channels that must stay."""

CONVOLUTIONS = ("conv2d", "conv3d")
WRITERS = (*CONVOLUTIONS, "linear", "gcn_conv", "gat_conv")
"""Operations that say with an attribute of their own, `out`, how many channels they write."""


class Ties:
    """Groups of channels of one architecture.

    groups: by node (C,), the number of each channel's group, `FIXED` for those that must stay. Indices have none.
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
        """The groups that may leave, by the layers that write them: those of one family are equals, one or all."""
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
        """By node the numbers of the channels that stay when these groups leave, in order."""
        return {name: np.flatnonzero(~np.isin(groups, removed)) for name, groups in self.groups.items()}

    def _root(self, number: int) -> int:
        path = []
        while self._parent[number] != number:
            path.append(number)
            number = self._parent[number]
        for passed in path:
            self._parent[passed] = number
        return number

    def _same(self, some: Numbers, others: Numbers) -> None:
        """The lower number becomes the root, so that what hangs on `FIXED` is fixed."""
        for one, other in zip(some.tolist(), others.tolist(), strict=True):
            low, high = sorted((self._root(one), self._root(other)))
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
        """The same places of every group of channels leave together."""
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
    """Whether each channel has filters of its own and is read by no others."""
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
    """What reads a pair's two ends in one order, whichever it is, and writes logits."""


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
"""Of operations that neither mix all channels nor keep each to itself, and of those that move them."""
