"""cluster: the weights of a layer become a few shared values, which are then trained on.

Han et al. 2016, Deep Compression, section 3: k-means in one dimension for each layer, begun from values spread evenly
between the smallest and the largest weight (the best of three ways there); then the centres are trained, the gradient
of a centre being the sum of the gradients of all weights that share it. Zeros of a pruned layer stay zeros.

What is left beside the matrices is made small as well: a batch norm in use is a factor and a summand for each channel,
so its statistics are folded into those two, and these, the biases and the matrices of few values become numbers of half
precision. All of it is measured together, and a book twice as large is tried where the stop rule refuses one.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import cast

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn.utils import parametrize

from workers.compress import masks
from workers.compress.fine_tuner import FineTuner, StepOutput
from workers.compress.packed import LARGEST_BOOK
from workers.compress.state import State, matrices, plain

FEW = 1024
"""Matrices of fewer values are not shared: a book would save little of them, and they are easily hurt."""

RATE = 0.03
"""Of the learning rate of a training from scratch: the centres of a layer are few, and each moves many weights."""


class Book(nn.Module):
    """A parametrization that looks weights up in a codebook: the parameter is the book, (k,) -> the weight's shape.

    places: of each weight in the book, in the shape of the weight; 0 stands for zero, i for book[i - 1]. values: (k,).
    """

    places: Tensor

    def __init__(self, places: Tensor, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("places", places.reshape(-1))
        self._shape, self._values = places.shape, values

    def forward(self, book: Tensor) -> Tensor:
        return torch.cat([book.new_zeros(1), book]).index_select(0, self.places).view(self._shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return self._values.to(weight)


def cluster(state: State, tuner: FineTuner, *, clusters: int, epochs: int) -> StepOutput:
    """Gives each layer a codebook of at most `clusters` values, zero not counted. epochs: to train the books.

    A refused attempt is repeated with twice as many clusters, below LARGEST_BOOK. Raises TrialFailure (`diverged`,
    `out_of_memory`).
    """
    while True:
        shared = tuner.attempt(partial(_shared, state, tuner, clusters, epochs))
        if shared is not None:
            return StepOutput(state=shared, kept=True, detail={"clusters": clusters})
        if 2 * clusters >= LARGEST_BOOK:
            return StepOutput(state=state, kept=False, detail={"clusters": clusters})
        clusters *= 2


def _shared(state: State, tuner: FineTuner, clusters: int, epochs: int) -> State:
    module = state.module()
    layers = matrices(module)
    large = {name: layer for name, layer in layers.items() if layer.get_parameter("weight").numel() >= FEW}
    for layer in large.values():
        book = Book(*centres(layer.get_parameter("weight").detach(), clusters))
        parametrize.register_parametrization(layer, "weight", book, unsafe=True)
    small = {name: state.weights[f"{name}.weight"] != 0 for name in layers if name not in large}
    masks.put(module, {name: there.float() for name, there in small.items() if not there.all()})
    tuner.tune(state, module, epochs=epochs, rate=RATE)
    books = {f"{name}.weight": cast(Tensor, layer.weight) for name, layer in large.items()}
    trained = {**masks.weights_of(module), **books}
    weights = plain({name: trained[name] for name in state.weights})
    return state.having(dict(_halved(folded(module, weights))), form="shared")


def centres(weight: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Clusters a weight of any shape: the place of each value, in that shape, and the codebook (k,) float32.

    Place 0 stands for zero, place i for book[i - 1]. k is at most `clusters`. (Han et al. 2016, section 3.)
    """
    x = weight.reshape(-1).numpy()
    there = x != 0
    values = x[there].astype(np.float64)[:, None]
    count = min(clusters, len(np.unique(values)))
    places = np.zeros(len(x), dtype=np.int64)
    if not count:
        return torch.from_numpy(places).view(weight.shape), weight.new_zeros(1)
    first = np.linspace(values.min(), values.max(), count)[:, None]
    found = KMeans(count, init=first, n_init=1).fit(values)
    places[there] = 1 + found.labels_
    return torch.from_numpy(places).view(weight.shape), torch.from_numpy(found.cluster_centers_[:, 0]).float()


def folded(module: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with every batch norm's statistics folded into its scale and shift: mean 0, variance 1.

    In evaluation mode the module computes the same: y = (x - mean) / sqrt(var + eps) · scale + shift. Shapes stay.
    """
    changed = dict(weights)
    for name, layer in module.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_var is not None:
            mean, var = changed[f"{name}.running_mean"], changed[f"{name}.running_var"]
            scale = changed[f"{name}.weight"] / torch.sqrt(var + layer.eps)
            changed[f"{name}.bias"] = changed[f"{name}.bias"] - mean * scale
            changed[f"{name}.weight"] = scale * (1 + layer.eps) ** 0.5
            changed[f"{name}.running_mean"] = torch.zeros_like(mean)
            changed[f"{name}.running_var"] = torch.ones_like(var)
    return changed


def _halved(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """All but the large matrices rounded to half precision, where its range allows."""
    for name, tensor in weights.items():
        half = tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor
        small = tensor.ndim < 2 or tensor.numel() < FEW
        yield name, half if small and bool(half.isfinite().all()) else tensor
