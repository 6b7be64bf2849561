"""PPO: the clipped step, and batches."""

import numpy as np
import pytest

from search.controllers.ppo import PpoController, clipped
from search.policy.policy import step
from search.testing.toys import fork
from search.trial import Outcome, TrialState

CHANCES = np.array([0.2, 0.3, 0.5])


def test_a_fresh_step_is_that_of_the_policy_gradient() -> None:
    for advantage in (-1.0, 0.5):
        fresh = clipped(CHANCES, 1, 0.3, advantage=advantage, entropy=0.1, clip=0.2)
        assert fresh == pytest.approx(step(CHANCES, 1, 0.3, advantage=advantage, entropy=0.1))


@pytest.mark.parametrize(
    ("behaviour", "advantage", "weight"),
    [
        (0.27, 1.0, 0.3 / 0.27),  # a little more likely by now
        (0.24, 1.0, 0.0),  # past the clip
        (0.6, 1.0, 0.5),  # less likely by now: it may come back
        (0.6, -1.0, 0.0),  # far enough down
        (0.1, -1.0, -1.2),  # on its way down from above, at the clip's speed
    ],
)
def test_what_has_moved_far_enough_moves_no_further(behaviour: float, advantage: float, weight: float) -> None:
    score = np.array([-0.2, 0.7, -0.5])
    change = clipped(CHANCES, 1, behaviour, advantage=advantage, entropy=0.0, clip=0.2)
    assert change == pytest.approx(weight * score)


def test_the_policy_moves_with_full_batches() -> None:
    """Values rise, so that the last two of a batch are in the top quarter whatever is drawn."""
    controller = PpoController(fork(), seed=1, batch=4)
    before = controller.policy.copy()
    for number in range(4):
        controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=float(number)))
        moved = any(np.any(logits != 0.0) for logits in controller.policy.logits.values())
        assert moved == (number == 3)
    assert all(not np.any(logits) for logits in before.logits.values())
