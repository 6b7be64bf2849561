"""Masks over the weights of a network, for steps that prune single weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from workers.compress.state import matrices

Masks = Mapping[str, Tensor]
"""By the path of a layer, a float tensor in the shape of its weight: 1 where the weight stays, 0 where it is pruned."""


def put(module: nn.Module, masks: Masks) -> None:
    """Mask the layers in place: before every pass their weights, and so the gradients, are multiplied by the masks."""
    for name, layer in matrices(module).items():
        if name in masks:
            prune.custom_from_mask(layer, "weight", masks[name])  # type: ignore[no-untyped-call]


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of a masked module under its usual names, with the masked products as weights."""
    state = module.state_dict()
    layers = {name.removesuffix("_orig") for name in state if name.endswith(".weight_orig")}
    found = {name: tensor for name, tensor in state.items() if not name.endswith((".weight_orig", ".weight_mask"))}
    return found | {name: state[f"{name}_orig"] * state[f"{name}_mask"] for name in layers}


def all_ones(module: nn.Module) -> dict[str, Tensor]:
    """Masks that prune nothing."""
    return {name: torch.ones_like(layer.get_parameter("weight")) for name, layer in matrices(module).items()}


def least(weights: Mapping[str, Tensor], masks: Masks, gone: float) -> dict[str, Tensor]:
    """Masks that also prune the smallest weights of all layers together, so that the share `gone` of all is pruned.

    weights: by layer, of the trained network, in the shapes of the masks. Masked weights stay masked. (Han et al. 2015,
    Learning both Weights and Connections; one threshold for all layers does better than a share of each, Blalock et
    al. 2020.)
    """
    sizes = torch.cat([(weights[name].abs() * mask).reshape(-1) for name, mask in masks.items()])
    count = min(len(sizes) - 1, round(gone * len(sizes)))
    if count < 1:
        return dict(masks)
    threshold = torch.kthvalue(sizes, count).values
    return {name: (weights[name].abs() * mask > threshold).to(mask.dtype) for name, mask in masks.items()}


def shuffled(masks: Masks, *, seed: int) -> dict[str, Tensor]:
    """Masks with as many ones per layer at random places, as the control for a chosen mask. Shapes stay."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
        drawn[name] = mask.reshape(-1)[order].reshape(mask.shape)
    return drawn


def share_gone(masks: Masks) -> float:
    """The share of all weights that is pruned, 0 to 1."""
    return 1 - sum(float(mask.sum()) for mask in masks.values()) / sum(mask.numel() for mask in masks.values())
