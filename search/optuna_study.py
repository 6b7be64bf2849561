"""What the controllers by Optuna share: decisions as Optuna's parameters, and an outcome as the end of a trial.

    ordered        integers 0 … n - 1, so that a sampler sees what lies between what
    unordered      categories
    fewer options  on one walk than on another: another parameter, since Optuna holds one set of options per name

Studies live in memory (a stored one costs 3 to 24 ms a trial) and are functions of what was told; the samplers are made
anew for each draw from (seed, number, draw), so that nothing hidden is carried from one to the next.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.propose import Asked
from search.trial import Outcome, TrialState
from space.decision import Choices, Decision

Distributions = dict[str, BaseDistribution]
Indices = dict[str, int]


def key(decision: Decision) -> str:
    """Its parameter's name."""
    return f"{decision.name}: {', '.join(map(repr, decision.options))}"


def distribution(decision: Decision) -> BaseDistribution:
    """Of the answer's place among the options."""
    last = len(decision.options) - 1
    return IntDistribution(0, last) if decision.ordered else CategoricalDistribution(range(last + 1))


def distributions(asked: Asked) -> Distributions:
    """By parameter, of the decisions that stood open on a walk."""
    return {key(decision): distribution(decision) for decision in asked.decisions}


def indices(asked: Asked) -> Indices:
    """By parameter, the answers of a walk."""
    return dict(index_of(decision, asked.proposal.choices) for decision in asked.decisions)


def index_of(decision: Decision, choices: Choices) -> tuple[str, int]:
    """Its parameter and the place of its answer."""
    return key(decision), decision.options.index(choices[decision.name])


def running(asked: Asked) -> FrozenTrial:
    """An open ask."""
    return optuna.trial.create_trial(
        state=OptunaState.RUNNING, params=indices(asked), distributions=distributions(asked)
    )


def end(study: optuna.Study, trial: optuna.Trial, outcome: Outcome) -> None:
    """Tell a study how a running trial ended.

    completed: with its value. pruned: so, with its value at its epoch. failed, infeasible: pruned before the first
    epoch, the worst rank there is. cancelled: taken out (Optuna's failed), it says nothing about the architecture.
    """
    if outcome.state is TrialState.CANCELLED:
        study.tell(trial, state=OptunaState.FAIL)
    elif outcome.state is TrialState.COMPLETED:
        study.tell(trial, outcome.value)
    else:
        if outcome.value is not None:
            trial.report(outcome.value, outcome.epochs)
        study.tell(trial, state=OptunaState.PRUNED)


def new_study(sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    """An empty one that maximises, in memory, without Optuna's line about it."""
    with quiet():
        return optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage(), sampler=sampler)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's own messages up to warnings are left out."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
