"""Removes channels from a trained network: a smaller architecture of the same kind, and its weights."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from space.architecture import Architecture
from space.node import Node
from space.operations.base import Layer
from workers.weights.channels import CONVOLUTIONS, TRANSPOSED, WRITERS, Numbers, Ties

Weights = Mapping[str, Tensor]
"""A state dict."""


def narrow(ties: Ties, weights: Weights, removed: Numbers) -> tuple[Architecture, dict[str, Tensor]]:
    """The architecture without these groups of channels, and its state dict.

    weights: of `ties.architecture`. removed: (n,) numbers of groups. Every feature map must keep a channel. If all
    channels of the groups are zero the logits stay the same, except behind a group norm of several channels, whose mean
    they were part of. (Li et al. 2017, Pruning Filters for Efficient ConvNets.)
    """
    kept = ties.kept(removed)
    document = ties.architecture.to_json()
    for written, node in zip(document["nodes"], ties.architecture.nodes, strict=True):
        written["attrs"] = _attrs(node, written["attrs"], kept)
    return Architecture.from_json(document), _cut_all(ties.architecture, weights, kept)


def _attrs(node: Node, attrs: dict[str, Any], kept: Mapping[str, Numbers]) -> dict[str, Any]:
    if node.op in WRITERS:
        attrs = {**attrs, "out": len(kept[node.name])}
    if "groups" in attrs and node.op != "channel_shuffle" and 1 != attrs["groups"] == node.use.inputs[0][0]:
        attrs = {**attrs, "groups": len(kept[node.inputs[0]])}  # as many as channels, before and after
    return attrs


def _cut_all(architecture: Architecture, weights: Weights, kept: Mapping[str, Numbers]) -> dict[str, Tensor]:
    """The cut tensors in the order of the state dict."""
    layers = {node.name: node for node in architecture.nodes if isinstance(node.use.operation, Layer)}
    cut: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        name = next(name for name in _prefixes(key) if name in layers)
        node = layers[name]
        rule = RULES.get(node.op, _as_it_is)
        cut[key] = rule(node, key[len(name) + 1 :], tensor, kept[node.inputs[0]], kept[name]).contiguous()
    return cut


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _take(tensor: Tensor, numbers: Numbers, axis: int) -> Tensor:
    return tensor.index_select(axis, torch.from_numpy(np.ascontiguousarray(numbers)))


Rule = Callable[[Node, str, Tensor, Numbers, Numbers], Tensor]
"""(node, name of the tensor in its layer, tensor, kept input channels, kept output channels) -> the cut tensor."""


def _as_it_is(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    return tensor


def _convolution(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    """weight: (out, in / groups, *kernel); bias: (out,)."""
    left = _take(tensor, written, 0)
    each = node.use.inputs[0][0] // cast(int, node.attrs["groups"])
    return _take(left, read[read < each], 1) if key == "weight" and each > 1 else left


def _transposed(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    """weight: (in, out, *kernel); bias: (out,)."""
    return _take(_take(tensor, read, 0), written, 1) if key == "weight" else _take(tensor, written, 0)


def _matrix(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    """weight, lin.weight: (out, in); bias: (out,)."""
    left = _take(tensor, written, 0)
    return _take(left, read, 1) if tensor.ndim == 2 else left


def _attention(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    """att_src, att_dst: (1, heads, out / heads); the others as in a linear layer."""
    if not key.startswith("att_"):
        return _matrix(node, key, tensor, read, written)
    return _take(tensor, written[written < tensor.shape[2]], 2)


def _each(node: Node, key: str, tensor: Tensor, read: Numbers, written: Numbers) -> Tensor:
    """(C,) values, and the counter of a batch norm, ()."""
    return _take(tensor, read, 0) if tensor.ndim else tensor


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    **dict.fromkeys(TRANSPOSED, _transposed),
    "linear": _matrix,
    "gcn_conv": _matrix,
    "gat_conv": _attention,
    "batch_norm": _each,
    "group_norm": _each,
}
