"""What the controllers by Optuna share: decisions as Optuna's parameters, and outcomes as the ends of its trials.

    ordered        integers 0 … n - 1, so that a sampler knows which options are near each other
    unordered      categories
    fewer options  on one walk than on another: another parameter, since Optuna keeps one set of options per name

Studies are in memory (a stored one costs 3 to 24 ms a trial) and are functions of the outcomes; the samplers are made
anew for each draw from (seed, number, draw), so that no hidden state is carried from one to the next.
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
    """The name of its parameter."""
    return f"{decision.name}: {', '.join(map(repr, decision.options))}"


def distribution(decision: Decision) -> BaseDistribution:
    """Of the answer's index among the options."""
    last = len(decision.options) - 1
    return IntDistribution(0, last) if decision.ordered else CategoricalDistribution(range(last + 1))


def distributions(trial: OpenProposal) -> Distributions:
    """By parameter, of the decisions on its walk with more than one option."""
    return {key(decision): distribution(decision) for decision in trial.decisions}


def indices(trial: OpenProposal) -> Indices:
    """By parameter, the answers of its walk."""
    return dict(index_of(decision, trial.proposal.choices) for decision in trial.decisions)


def index_of(decision: Decision, choices: Choices) -> tuple[str, int]:
    """The name of its parameter, and the index of its answer."""
    return key(decision), decision.options.index(choices[decision.name])


def running(trial: OpenProposal) -> FrozenTrial:
    """An open trial."""
    return optuna.trial.create_trial(
        state=OptunaState.RUNNING, params=indices(trial), distributions=distributions(trial)
    )


def completed(trial: OpenProposal, outcome: Outcome) -> FrozenTrial:
    """A completed trial with all its values."""
    return optuna.trial.create_trial(
        values=list(outcome.values), params=indices(trial), distributions=distributions(trial)
    )


def suggesting(draft: optuna.Trial) -> Picker:
    """Answers suggested by the study's sampler."""

    def pick(decision: Decision) -> tuple[Option, float]:
        name, last = key(decision), len(decision.options) - 1
        index = (
            draft.suggest_int(name, 0, last) if decision.ordered else draft.suggest_categorical(name, range(last + 1))
        )
        return decision.options[index], 1.0

    return pick


def end(study: optuna.Study, trial: optuna.Trial, outcome: Outcome) -> None:
    """Tell a study how a running trial ended.

    completed: with its values. pruned: as pruned, with its value at its epoch; a study of several objectives takes no
    value before the end. failed, infeasible: as pruned before the first epoch, the lowest rank. cancelled: removed
    (Optuna's failed), since it says nothing about the architecture.
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
    """An empty study in memory that maximises all objectives, made without Optuna's log line about it."""
    directions = [StudyDirection.MAXIMIZE] * objectives
    with quiet():
        return optuna.create_study(directions=directions, storage=optuna.storages.InMemoryStorage(), sampler=sampler)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses Optuna's own messages up to warnings."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
