"""The optimizers."""

import torch
from torch import nn

from workers.train.recipe import Recipe

OPTIMIZERS = ("adamw", "adam", "sgd")
MOMENTUM = 0.9
BETAS = (0.9, 0.95)
COUPLED = 0.01
"""Share of the recipe's weight decay (AdamW's) that is added to the gradient for Adam and SGD. SGD's rate is ten
times as high, and its momentum sums up to ten gradients: AdamW's 0.05 at a rate of 0.01 and SGD's 0.0005 at 0.1 both
take 0.0005 of each weight per step. For Adam it is 0.0005, as usual for graph networks (arXiv 1609.02907)."""


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay on matrices and kernels only, not on biases and norms. Raises ValueError for an unknown name."""
    if recipe.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {recipe.optimizer!r}")
    decay = recipe.weight_decay * (1.0 if recipe.optimizer == "adamw" else COUPLED)
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=BETAS, fused=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.learning_rate, betas=BETAS, fused=True)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM, nesterov=True, fused=True)
