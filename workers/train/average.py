"""The exponential moving average of a network's weights (Polyak and Juditsky 1992; arXiv 1803.05407 for networks)."""

from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """Follows the trainable weights; the mean of all steps until there are more of them than its horizon."""

    def __init__(self, module: nn.Module, *, horizon: float) -> None:
        """horizon: steps, 1 or more; a step's weight in the average falls by 1/e over as many further steps."""
        self._weights = [weight for weight in module.parameters() if weight.requires_grad]
        self._values = [weight.detach().clone() for weight in self._weights]
        self._horizon, self._steps = max(1.0, horizon), 0

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights after a step."""
        self._steps += 1
        torch._foreach_lerp_(self._values, self._detached(), 1 / min(self._steps, self._horizon))

    @torch.no_grad()
    def put(self) -> None:
        """Puts the average in the place of the weights."""
        torch._foreach_copy_(self._detached(), self._values)

    def state_dict(self) -> dict[str, Any]:
        return {"values": self._values, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        torch._foreach_copy_(self._values, [value.to(self._values[0].device) for value in state["values"]])
        self._steps = int(state["steps"])

    def _detached(self) -> list[Tensor]:
        return [weight.detach() for weight in self._weights]
