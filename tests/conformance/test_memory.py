"""The computed peak memory of a training step, compared with torch's allocator on networks of all presets."""

import pytest
import torch

from benchmarks.memory import measured_peak, sampled
from space import presets
from space.peak_memory import peak_memory
from tests.effort import share

BATCHES = 16
EACH = share(10, least=2)


@pytest.mark.slow  # tests/unit/space/test_peak_memory.py has a part of it
@pytest.mark.sweep
def test_within_fifteen_percent_for_95_of_100_networks_of_all_presets() -> None:
    """Of ten of each preset 99 % were within, with every instruction set of the convolution library."""
    torch.set_num_threads(1)
    names = presets.names()
    ratios = sorted(
        peak_memory(architecture, batch=BATCHES) / measured_peak(architecture, batch=BATCHES)
        for name in names
        for architecture in sampled(name, EACH)
    )
    outside = [ratio for ratio in ratios if abs(ratio - 1) > 0.15]
    assert len(outside) <= 0.05 * len(ratios), outside
    assert 0.98 < ratios[len(ratios) // 2] < 1.02
