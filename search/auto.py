"""The default: the controller that was measured best for a space and a budget.

    every walk asks the same decisions, all of them kinds (cells, lists of operations)     predictor
    any other space: walks differ in length, or answers are scales (depth, width, kernel)   policy_model
    fewer than 12 trials                                                                    half of them are starts

What was measured (`benchmarks/search`, `benchmarks/controllers.py`): on a published table of eight operations both have
the same median regret after 50 trials, and predictor asks in a quarter of the time; on chains of layers with widths and
kernels policy_model finds more, because a policy walks to where no neighbour of the best trials is. The number of
workers decides nothing: with 16 asynchronous ones predictor names the same network as with one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsmith.errors import InvalidArchitecture
from search.limits import Limit
from search.modelled import STARTS, Modelled
from search.policy_model import PolicyModelController
from search.predictor import PredictorController
from search.propose import SearchSpace, Walk, uniform

WALKS = 32
"""Uniform walks that a space is judged by."""

FEW = 2 * STARTS
"""Trials below which the usual starts would be more than half of the search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which controller, its options, and why in words."""

    controller: type[Modelled]
    options: dict[str, Any]
    because: str


def auto(
    space: SearchSpace, *, constraints: Sequence[Limit] = (), seed: int = 0, trials: int | None = None
) -> Modelled:
    """No options: they are the measured ones. trials: of the job's budget, None where it has no end."""
    choice = choose(space, trials=trials)
    controller = choice.controller(space, constraints=constraints, seed=seed, **choice.options)
    controller.because = choice.because
    return controller


def choose(space: SearchSpace, *, trials: int | None = None) -> Choice:
    options: dict[str, Any] = {}
    few = ""
    if trials is not None and trials < FEW:
        options["starts"] = max(2, trials // 2)
        few = f"; of {trials} trials {options['starts']} are starts"
    walks = _walks(space)
    asked = {tuple(decision.name for decision in walk.decisions) for walk in walks}
    if len(asked) == 1 and not any(decision.ordered for walk in walks for decision in walk.decisions):
        because = f"predictor: every walk asks the same {len(asked.pop())} decisions, all of them kinds{few}"
        return Choice(controller=PredictorController, options=options, because=because)
    what = "walks ask different decisions" if len(asked) > 1 else "answers are scales"
    return Choice(controller=PolicyModelController, options=options, because=f"policy_model: {what}{few}")


def _walks(space: SearchSpace) -> list[Walk]:
    """Always the same ones: what is chosen depends on the space and the budget alone."""
    found = []
    for number in range(WALKS):
        walk = Walk(picker=uniform(np.random.default_rng([WALKS, number])))
        try:
            space.sample(walk.choose)
        except InvalidArchitecture:
            continue
        found.append(walk)
    return found
