"""Batch norms after a training: their statistics measured anew with the weights as they are.

In training a batch norm keeps a moving average over weights that change under it, the last ten batches or so: few
samples, and of an earlier network. Networks that were handed on with such statistics lost most of their score in other
tools (`once-for-all` is one). So before a final network is measured, and saved, the training split is passed through
it once more, unchanged, and each batch norm keeps the mean over all batches.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recompute(module: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> int:
    """Returns how many batch norms there are; with none, nothing is passed through. Everything else stays in eval mode.

    batches: what the module is called with. A batch of one sample has no variance and is left out.
    """
    norms = [one for one in module.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]
    if not norms:
        return 0
    momenta = [one.momentum for one in norms]
    module.eval()
    for one in norms:
        one.reset_running_stats()
        one.momentum = None  # the plain mean over all batches
        one.train()
    for inputs in batches:
        if len(inputs[0]) > 1:
            module(*inputs)
    for one, momentum in zip(norms, momenta, strict=True):
        one.momentum = momentum
    module.eval()
    return len(norms)
