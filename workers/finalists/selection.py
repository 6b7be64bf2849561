"""Which finalist is the winner: the best of them on the validation split, after a full training without that split.

Search scores are of short trainings, and the largest of many is largest by luck as well. So where a search has several
finalists, each is trained once in full on the training split alone and scored on the validation split, and the best one
is trained again on both splits: that is the winner. The test split chooses nothing. A planned job does so in time that
would be left over, see `spare.py`.

Measured on simulated searches (the best three of 30, true final scores 2 points apart, correlation of search and final
score 0.8): regret in points of the winner by its search score, and by this rule with one training each

    noise of a training   validation samples   by search score   by this rule   best of the three
    0.3                   6,000                0.88              0.30           0.26
    0.5                   1,000                1.06              0.52           0.35
    1.0                     200                1.64              1.20           0.66
    2.0                      60                2.43              2.08           1.14

A mean of both scores, weighted by the inverse of their variances, was worse by up to 0.1 points in 22 of 30 settings
and better by up to 0.04 in the others, where noise is large and search scores rank very well; so was the mean of three
trainings in place of one (0.1 better where noise is large, for three times the price).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsmith.errors import TrialFailure
from search.objective import Objective
from search.spec import JobSpec
from workers.finalists.plan import Final
from workers.finalists.training import FinalistTask
from workers.train.job_data import JobData

REPETITION = 1000
"""Number, within a trial's full trainings, of the one that selects: it draws other random numbers than those that are
measured on the test split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """One training that selects. score: on the validation split; None with a reason where it failed.

    folds: of how many trainings this is the mean, see `workers.finalists.folds`; 0 for one training.
    """

    score: float | None
    seconds: float
    epochs: int
    reason: str | None = None
    folds: int = 0


def candidates(spec: JobSpec, finals: Sequence[Final]) -> list[Final]:
    """The finalists to choose from; [] where there is no choice.

    With several objectives the finalists are spread over a front, and a cost alone needs no training to be known.
    """
    objective = Objective.of(spec.objective)
    found = [final for final in finals if final.role == "finalist"]
    return found if len(found) > 1 and objective.names == ("score",) else []


def winner_first(spec: JobSpec, finals: Sequence[Final], selected: Mapping[int, Selection]) -> list[Final]:
    """The same architectures with the winner first, which keeps its repetitions; other finalists are trained once.

    selected: by rank. A finalist whose training failed cannot win; the plan stays as it is where all of them failed.
    Of equal ones the first by search score wins.
    """
    objective = Objective.of(spec.objective)
    values = {
        final.rank: objective.value({**final.trial.facts, "score": selected[final.rank].score or 0.0})
        for final in finals
        if final.rank in selected and selected[final.rank].score is not None
    }
    if not values:
        return list(finals)
    best = max(values, key=lambda rank: (values[rank], -rank))
    repeated = max(final.seeds for final in finals if final.role == "finalist")
    ordered = sorted(finals, key=lambda final: final.rank != best)
    return [
        replace(final, seeds=repeated if final.rank == best else 1) if final.role == "finalist" else final
        for final in ordered
    ]


def train_candidate(task: FinalistTask, shared: JobData | tuple[JobData, ...]) -> Selection:
    """Train on the training split, recompute the batch norms, score on the validation split.

    Runs in a process of its own on the cluster. A training that fails becomes a result with a reason.
    shared: the search's splits, or those of each fold, of which the task's seed says the one.
    """
    from workers.train.prepare import new_trainer

    data = shared[task.seed - REPETITION - 1] if isinstance(shared, tuple) else shared
    if data.val is None:
        raise ValueError("a selection needs the search's splits, but data.val is None")
    began, epochs = time.monotonic(), task.recipe.epochs
    try:
        trainer = new_trainer(task.architecture, data, task.recipe)
        for _ in range(epochs):
            trainer.train_epoch()
        trainer.recompute_norms()
        score = trainer.score(data.val)
    except TrialFailure as failure:
        return Selection(score=None, seconds=time.monotonic() - began, epochs=epochs, reason=str(failure))
    return Selection(score=score, seconds=time.monotonic() - began, epochs=epochs)


def described(finals: Sequence[Final], selected: Mapping[int, Selection]) -> list[dict[str, Any]]:
    """For the report: the finalists in order of their search scores, with the validation scores that chose."""
    return [
        {
            "trial": final.trial.number,
            "search_score": final.trial.search_score,
            "validation_score": selected[final.rank].score,
            "epochs": selected[final.rank].epochs,
            "seconds": round(selected[final.rank].seconds, 3),
            "reason": selected[final.rank].reason,
            "folds": selected[final.rank].folds,
        }
        for final in sorted(finals, key=lambda final: final.rank)
        if final.rank in selected
    ]
