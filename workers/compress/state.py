"""A network in the course of compression: its graph, its weights, and the codings they may be packed in."""

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
"""Form that the steps so far have given the weights -> the codings that they may be packed in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """weights: a state dict on the CPU, in the order of the module's. form: a key of `CODINGS`."""

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
        """The bytes of the packed file, see `packed.pack`."""
        return packed.pack(self.weights, CODINGS[self.form])

    @property
    def nonzero(self) -> int:
        """Values of the state dict that are not zero."""
        return sum(int(torch.count_nonzero(tensor)) for tensor in self.weights.values())


def plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict on the CPU, contiguous, with -0.0 (which a mask makes of negative weights) turned into 0.0.

    weights: tensors of any shape and device. Returns copies of the same shapes and types.
    """
    moved = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    return {name: tensor + 0.0 if tensor.is_floating_point() else tensor.clone() for name, tensor in moved.items()}


def matrices(module: nn.Module) -> dict[str, nn.Module]:
    """By path, the layers whose `weight` has two dimensions or more: those that are pruned and shared."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(weight := getattr(layer, "weight", None), Tensor) and weight.ndim > 1
    }
