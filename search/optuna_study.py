"""What the controllers by Optuna share: a study in memory, and decisions as its parameters."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from search.propose import Asked, Picker
from space.decision import Decision, Option


def in_memory(objectives: int = 1) -> optuna.Study:
    """An empty study that maximises everything."""
    with _quiet():
        return optuna.create_study(directions=["maximize"] * objectives, storage=optuna.storages.InMemoryStorage())


def distribution_of(decision: Decision) -> tuple[str, BaseDistribution]:
    """A decision's parameter: its name, and the numbers of its options.

    Optuna holds one set of options per name; where a walk offers fewer of them, that is another parameter.
    """
    last = len(decision.options) - 1
    kind = IntDistribution(0, last) if decision.ordered else CategoricalDistribution(range(last + 1))
    return f"{decision.name}: {', '.join(map(repr, decision.options))}", kind


def parameters(asked: Asked) -> dict[str, Any]:
    """What `optuna.trial.create_trial` is told of a proposal."""
    choices = asked.proposal.choices
    return {
        "params": {distribution_of(d)[0]: d.options.index(choices[d.name]) for d in asked.decisions},
        "distributions": dict(distribution_of(d) for d in asked.decisions),
    }


def suggesting(draft: optuna.Trial) -> Picker:
    """Answers as the study's sampler suggests them."""

    def pick(decision: Decision) -> tuple[Option, float]:
        key, last = distribution_of(decision)[0], len(decision.options) - 1
        index = draft.suggest_int(key, 0, last) if decision.ordered else draft.suggest_categorical(key, range(last + 1))
        return decision.options[index], 1.0

    return pick


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line about a new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
