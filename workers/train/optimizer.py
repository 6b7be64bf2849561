"""The optimizers and their schedule."""

import torch
from torch import nn

from workers.train.recipe import Recipe

OPTIMIZERS = ("adamw", "sgd")
MOMENTUM = 0.9
SGD_DECAY = 0.01
"""Of AdamW's weight decay. SGD's rate is ten times as high, and its momentum adds a gradient up to ten times its size:
0.05 for AdamW at 0.01, and 0.0005 for SGD at 0.1, both take 0.0005 of each weight per step."""
WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""


def one_cycle(step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` of `steps`: linear up, then linear down to zero (arXiv 1708.07120)."""
    peak = max(1, round(WARM_UP * steps))
    return min((step + 1) / peak, (steps - step) / (steps - peak + 1))


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay on matrices and kernels only, not on biases and norms. Raises ValueError for an unknown name."""
    if recipe.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {recipe.optimizer!r}")
    adam = recipe.optimizer == "adamw"
    decay = recipe.weight_decay if adam else SGD_DECAY * recipe.weight_decay
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if adam:
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM, nesterov=True, fused=True)
