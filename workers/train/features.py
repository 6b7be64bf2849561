"""How the trainer prepares the features of nodes; `predict` of a bundle does the same."""

import torch
from torch import Tensor

from workers.conventions import are_marks


class Features:
    """Divides rows of 0/1 marks by their sum, normalises everything else. mean, std: of each of F features."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], *, device: str = "cpu") -> None:
        self.marks = are_marks(mean, std)
        self._mean = torch.tensor(mean, device=device)
        self._scale = 1.0 / torch.tensor(std, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, F) as stored -> (N, F) float32."""
        x = x.to(torch.float32)
        if self.marks:
            return x / x.sum(1, keepdim=True).clamp_min(1.0)
        return (x - self._mean) * self._scale
