"""A network on its way to being smaller: the graph, the weights, and in which codings they may be packed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from space.architecture import Architecture
from space.build import build
from workers.compress import packed

CODINGS: Mapping[str, tuple[str, ...]] = {
    "plain": packed.PLAIN,
    "sparse": packed.SPARSE,
    "shared": packed.SHARED,
    "coded": packed.CODED,
}
"""Name of what the steps so far have made of the weights -> the codings that it may be packed in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """weights: a state dict on the processor. form: a name of `CODINGS`."""

    architecture: Architecture
    weights: Mapping[str, Tensor]
    form: str = "plain"

    def module(self) -> nn.Module:
        """The network with copies of these weights."""
        module = build(self.architecture)
        module.load_state_dict(dict(self.weights))
        return module

    def having(self, weights: Mapping[str, Tensor], *, form: str | None = None) -> "State":
        """The same network with other weights."""
        return replace(self, weights=plain(weights), form=form or self.form)

    def pack(self) -> bytes:
        return packed.pack(self.weights, CODINGS[self.form])

    @property
    def nonzero(self) -> int:
        """Values of the state dict that are not zero."""
        return sum(int(torch.count_nonzero(tensor)) for tensor in self.weights.values())


def plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the processor, row by row, and with no zero below zero: what a mask makes of a negative weight is one."""
    moved = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    return {name: tensor + 0.0 if tensor.is_floating_point() else tensor.clone() for name, tensor in moved.items()}


def matrices(module: nn.Module) -> dict[str, nn.Module]:
    """The layers whose `weight` is a matrix or a set of kernels: what is pruned and shared. By path."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(weight := getattr(layer, "weight", None), Tensor) and weight.ndim > 1
    }
