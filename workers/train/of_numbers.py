"""Scores of a regression, and their shares: R² as a score, mean absolute and root mean squared error beside it.

outputs and y are (n, K) in the units of the targets. Equal to scikit-learn's `r2_score`, `mean_absolute_error` and
`root_mean_squared_error`: the mean over the targets, each in its own units. R² is 1 at best, 0 for always answering the
mean of these very samples, and has no lower end.
"""

import torch
from torch import Tensor

FLAT = 0.0
"""R² where no target differs between the samples, so that it is not defined."""


def r2(outputs: Tensor, y: Tensor) -> float:
    """Mean over the targets that differ between the samples. outputs, y: (n, K)."""
    squares, spread = _squares(outputs, y)
    defined = _varies(y)
    found = 1 - squares.mean(0) / spread.mean(0)
    return float(found[defined].mean()) if defined.any() else FLAT


def r2_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """(n,) float64. outputs, y: (n, K)."""
    squares, spread = (term[:, _varies(y)] for term in _squares(outputs, y))
    if not squares.shape[1]:
        return torch.full((len(y),), FLAT, dtype=torch.float64, device=y.device)
    ratio = squares.mean(0) / spread.mean(0)
    return (1 - ratio - (squares - ratio * spread) / spread.mean(0)).mean(1)


def mae(outputs: Tensor, y: Tensor) -> float:
    """outputs, y: (n, K)."""
    return float(mae_shares(outputs, y).mean())


def mae_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """(n,) float64, the error of each sample. outputs, y: (n, K)."""
    return (outputs.double() - y.double()).abs().mean(1)


def rmse(outputs: Tensor, y: Tensor) -> float:
    """Mean over the targets of the root of each one's mean squared error. outputs, y: (n, K)."""
    return float(_squares(outputs, y)[0].mean(0).sqrt().mean())


def rmse_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """(n,) float64. outputs, y: (n, K)."""
    squares, _ = _squares(outputs, y)
    mean = squares.mean(0)
    root = mean.sqrt()
    return (root + torch.where(root > 0, (squares - mean) / (2 * root), 0.0)).mean(1)


def _squares(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, K) float64 each: squared errors, and squared distances from the mean of each target."""
    truth = y.double()
    return (outputs.double() - truth).square(), (truth - truth.mean(0)).square()


def _varies(y: Tensor) -> Tensor:
    """(K,) bool. y: (n, K)."""
    return (y != y[0]).any(0)
