"""How many trials a cluster holds at once: the scarcer of its processors and GPUs decides."""

import pytest

from workers.cluster.slots import slots


@pytest.mark.parametrize(
    ("cpus", "gpus", "trial_cpus", "trial_gpus", "expected"),
    [
        (8, 0, 2, 0, 4),
        (8, 2, 1, 1, 2),
        (8, 2, 1, 0.25, 8),
        (7.5, 0, 2, 0, 3),
        (1, 0, 2, 0, 1),  # too large for the cluster: it waits, and one at a time may come
        (4, 0, 1, 1, 1),
    ],
)
def test_the_scarcer_resource_decides(
    cpus: float, gpus: float, trial_cpus: float, trial_gpus: float, expected: int
) -> None:
    assert slots(cpus=cpus, gpus=gpus, trial_cpus=trial_cpus, trial_gpus=trial_gpus) == expected
