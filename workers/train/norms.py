"""Batch norms after a training: their statistics recomputed with the final weights.

In training a batch norm keeps a moving average over the last ten batches or so: few samples, and of a network whose
weights were still changing. Networks published with such statistics lost most of their score in other tools
(`once-for-all` is one). So before a final network is measured and saved, the training split, or a part of a large one
(`trainer.FINAL_NORMS`), passes through it once more, without augmentation, and each batch norm keeps the mean over all
batches.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recompute(module: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> int:
    """Recomputes the statistics in place and returns the number of batch norms; without any, no batch is read.

    batches: the module's inputs, the first (B, ...). A batch of one sample has no variance and is left out. All other
    layers stay in eval mode, as does the whole module afterwards.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    if not norms:
        return 0
    momenta = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    for inputs in batches:
        if len(inputs[0]) > 1:
            module(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    module.eval()
    return len(norms)
