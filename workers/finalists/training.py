"""The last stage: the best architectures trained from scratch with the full recipe, measured once on the test split."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archsmith.errors import TrialFailure
from search.ledger import Role, Trial
from search.objective import Objective
from search.pareto import non_dominated, spread
from search.trial import TrialState
from workers.datasets import GraphSplit, MappedSplit, Split
from workers.finalists.answered import OnTest, answered
from workers.train.job_data import JobData
from workers.train.recipe import Recipe

if TYPE_CHECKING:
    from workers.train.trainer import Trainer


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistTask:
    """One final training.

    rank, role: see `search.ledger.Finalist`. number: of the trial.
    """

    rank: int
    number: int
    seed: int
    architecture: dict[str, Any]
    recipe: Recipe
    role: Role = "finalist"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistResult:
    """test_score: the job's score on the test split. weights: a safetensors file's bytes.

    measures: all scores that apply, by name (see `workers.conventions`). reason: of a failure.
    shares: each test sample's contribution to the score, (n,) float32; None where the score is not a mean.
    answered: see `workers.finalists.answered`.
    """

    test_score: float | None
    weights: bytes
    seconds: float
    measures: dict[str, float] = field(default_factory=dict)
    shares: npt.NDArray[np.float32] | None = None
    answered: dict[str, Any] | None = None
    reason: str | None = None


def choose(trials: Sequence[Trial], top: int, objective: Objective | None = None) -> list[Trial]:
    """The `top` best by the value of the search, fully trained ones before pruned ones.

    Pruned ones are ranked by epochs first, since values at different epochs are not comparable. Ties go to the smaller.
    With several objectives, the first are spread over the front: the one with the best score, then each time the one
    farthest from those; in order of their scores, so that the first is the winner. The others only fill up.
    """
    trained = [t for t in trials if t.state in (TrialState.COMPLETED, TrialState.PRUNED) and t.value is not None]
    ranked = sorted(trained, key=_rank)
    if objective is None or len(objective.names) == 1:
        return ranked[:top]
    chosen = _along_the_front([t for t in ranked if t.state is TrialState.COMPLETED], top, objective)
    return [*chosen, *(t for t in ranked if t not in chosen)][:top]


def _along_the_front(completed: Sequence[Trial], top: int, objective: Objective) -> list[Trial]:
    if not completed:
        return []
    values = np.array([objective.folded(trial.facts) for trial in completed])
    best = non_dominated(values)
    front = sorted((trial for trial, kept in zip(completed, best, strict=True) if kept), key=_by_score)
    values = np.array([objective.folded(trial.facts) for trial in front])
    return sorted((front[place] for place in spread(values, top, first=0)), key=_by_score)


def _by_score(trial: Trial) -> tuple[float, int, int]:
    return (math.inf if trial.search_score is None else -trial.search_score, trial.params, trial.number)


def _rank(trial: Trial) -> tuple[bool, int, float, int, int]:
    pruned = trial.state is TrialState.PRUNED
    value = -math.inf if trial.value is None else trial.value
    return (pruned, -trial.epochs if pruned else 0, -value, trial.params, trial.number)


def train_finalist(task: FinalistTask, data: JobData) -> FinalistResult:
    """Train on train + validation, recompute the batch norms, then measure on the test split, once.

    Runs in a process of its own on the cluster. A training that fails becomes a result with a reason.
    """
    from safetensors.torch import save

    from workers.train.prepare import new_trainer

    if data.test is None:
        raise ValueError("a finalist needs the final splits, but data.test is None")
    began = time.monotonic()
    try:
        trainer = new_trainer(task.architecture, data, task.recipe)
        for _ in range(task.recipe.epochs):
            trainer.train_epoch()
        trainer.recompute_norms()
        found = measured(trainer, data.test, data.problem)
    except TrialFailure as failure:
        return FinalistResult(test_score=None, weights=b"", seconds=time.monotonic() - began, reason=str(failure))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trainer.module.state_dict().items()}
    seconds = time.monotonic() - began
    return replace(found, weights=save(tensors), seconds=seconds)


def measured(trainer: "Trainer", test: Split | MappedSplit | GraphSplit, problem: str) -> FinalistResult:
    """All that is told of the network's answers on the test split, without weights. Raises TrialFailure."""
    outputs, y = trainer.outputs(test)
    score, measures, shares = trainer.judged(outputs, y)
    return FinalistResult(
        test_score=score,
        weights=b"",
        seconds=0.0,
        measures=measures,
        shares=None if shares is None else shares.numpy(),
        answered=answered(problem, OnTest(outputs=outputs.cpu().numpy(), y=y.cpu().numpy(), split=test)),
    )
