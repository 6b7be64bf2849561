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
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.proposing.proposer import OpenProposal
from search.proposing.walks import Picker
from search.trial import Outcome, TrialState
from space.decision import Choices, Decision, Option

Distributions = dict[str, BaseDistribution]
Indices = dict[str, int]


def key(decision: Decision) -> str:
    """Its parameter's name."""
    return f"{decision.name}: {', '.join(map(repr, decision.options))}"


def distribution(decision: Decision) -> BaseDistribution:
    """Of the answer's place among the options."""
    last = len(decision.options) - 1
    return IntDistribution(0, last) if decision.ordered else CategoricalDistribution(range(last + 1))


def distributions(asked: OpenProposal) -> Distributions:
    """By parameter, of the decisions that stood open on a walk."""
    return {key(decision): distribution(decision) for decision in asked.decisions}


def indices(asked: OpenProposal) -> Indices:
    """By parameter, the answers of a walk."""
    return dict(index_of(decision, asked.proposal.choices) for decision in asked.decisions)


def index_of(decision: Decision, choices: Choices) -> tuple[str, int]:
    """Its parameter and the place of its answer."""
    return key(decision), decision.options.index(choices[decision.name])


def running(asked: OpenProposal) -> FrozenTrial:
    """An open ask."""
    return optuna.trial.create_trial(
        state=OptunaState.RUNNING, params=indices(asked), distributions=distributions(asked)
    )


def completed(asked: OpenProposal, outcome: Outcome) -> FrozenTrial:
    """An ask and all its values."""
    return optuna.trial.create_trial(
        values=list(outcome.values), params=indices(asked), distributions=distributions(asked)
    )


def suggesting(draft: optuna.Trial) -> Picker:
    """Answers as the study's sampler suggests them."""

    def pick(decision: Decision) -> tuple[Option, float]:
        name, last = key(decision), len(decision.options) - 1
        index = (
            draft.suggest_int(name, 0, last) if decision.ordered else draft.suggest_categorical(name, range(last + 1))
        )
        return decision.options[index], 1.0

    return pick


def end(study: optuna.Study, trial: optuna.Trial, outcome: Outcome) -> None:
    """Tell a study how a running trial ended.

    completed: with its values. pruned: so, with its value at its epoch; a study of several objectives takes none before
    the end. failed, infeasible: pruned before the first epoch, the worst rank there is. cancelled: taken out (Optuna's
    failed), it says nothing about the architecture.
    """
    if outcome.state is TrialState.CANCELLED:
        study.tell(trial, state=OptunaState.FAIL)
    elif outcome.state is TrialState.COMPLETED:
        study.tell(trial, list(outcome.values))
    else:
        if outcome.value is not None and len(study.directions) == 1:
            trial.report(outcome.value, outcome.epochs)
        study.tell(trial, state=OptunaState.PRUNED)


def new_study(sampler: optuna.samplers.BaseSampler | None = None, *, objectives: int = 1) -> optuna.Study:
    """An empty one that maximises everything, in memory, without Optuna's line about it."""
    directions = [StudyDirection.MAXIMIZE] * objectives
    with quiet():
        return optuna.create_study(directions=directions, storage=optuna.storages.InMemoryStorage(), sampler=sampler)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's own messages up to warnings are left out."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
