"""Batch norms of a final network: statistics of the weights as they are, on the whole training split."""

import torch
from torch import Tensor, nn

from workers.train.norms import recompute


def test_the_statistics_are_those_of_all_batches() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.9))
    batches = [torch.randn(8, 4) * scale for scale in (1.0, 2.0, 3.0)]
    with torch.no_grad():
        inside = [module[0](batch) for batch in batches]
    assert recompute(module, ((batch,) for batch in [*batches, torch.full((1, 4), 1e6)])) == 1
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm1d)
    torch.testing.assert_close(norm.running_mean, torch.stack([one.mean(0) for one in inside]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([one.var(0) for one in inside]).mean(0))
    assert norm.momentum == 0.1
    assert not any(one.training for one in module.modules())


def test_a_network_without_batch_norms_is_left_alone() -> None:
    def batches() -> Tensor:
        raise AssertionError("nothing is to be passed through")

    module = nn.Sequential(nn.Linear(2, 2), nn.GroupNorm(1, 2))
    assert recompute(module, (batches() for _ in range(1))) == 0  # type: ignore[misc]
    assert module.training
