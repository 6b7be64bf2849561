"""Trials of earlier jobs on toys."""

from typing import Any

import numpy as np

from search.earlier_jobs.prior import z_scores
from search.proposing.prior_values import Prior
from search.proposing.walks import Walk, uniform
from search.testing.toys import Toy
from space.decision import Choices
from space.space import replay


def prior(toy: Toy, choices: Choices, *, value: float | None = None, **changes: Any) -> Prior:
    """A trial of an earlier job."""
    found = toy.reward(choices) if value is None else value
    architecture = toy.sample(replay(choices))
    return Prior(**{"architecture": architecture, "choices": choices, "value": found, "epochs": 8, **changes})


def priors(toy: Toy, count: int, *, comparable: bool = True) -> list[Prior]:
    """Random ones: with their values, or with their z-scores among each other."""
    walks = [walk(toy, 100 + seed) for seed in range(count)]
    values = [toy.reward(choices) for choices in walks]
    shown = values if comparable else z_scores(values)
    epochs = 8 if comparable else 0
    return [
        prior(toy, choices, value=value, comparable=comparable, settled=comparable, epochs=epochs)
        for choices, value in zip(walks, shown, strict=True)
    ]


def walk(toy: Toy, seed: int) -> Choices:
    """The answers of a random walk."""
    found = Walk(picker=uniform(np.random.default_rng(seed)))
    toy.sample(found.choose)
    return found.choices
