"""The default: the controller that was measured best, with a number of starts that fits the job's budget.

    controller   policy_model: on a published table of 15,625 cells it finds the best after 21 trials where predictor
                 needs 23 (medians of 100 seeds), and it publishes probabilities
    starts       6; half of the trials where the budget has fewer than 12
    workers      do not matter: with 4 and with 16 asynchronous ones it names the same network as with one, at equal
                 total seconds of short trainings (100 seeds)
    noise        does not matter: with one of three runs as the score, policy_model's regret after 50 trials is 0.03
                 points where local search, evolution and Optuna's TPE leave 0.29 and more (100 seeds, 20 of TPE)

Measured by `python -m benchmarks.search` and `python -m benchmarks.controllers`.
"""

from collections.abc import Sequence

from search.controllers.policy_model import PolicyModelController
from search.proposing.constraints import Constraint
from search.proposing.walks import SearchSpace
from search.surrogate.controller import STARTS

FEW = 2 * STARTS
"""Trials below which the usual starts would be more than half of the search."""


def auto(
    space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0, trials: int | None = None
) -> PolicyModelController:
    """No options: they are the measured ones. trials: of the job's budget, None where it sets no limit."""
    starts = STARTS if trials is None or trials >= FEW else max(2, trials // 2)
    controller = PolicyModelController(space, constraints=constraints, seed=seed, starts=starts)
    few = "" if starts == STARTS else f"; of {trials} trials {starts} are starts"
    controller.because = f"policy_model: the fewest trials on published tables and toys{few}"
    return controller
