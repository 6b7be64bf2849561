"""The simple models, by scikit-learn: fitted in seconds on one thread, the same again for the same seed.

The work is bounded before it begins, whatever the data: samples by `sampling`, features here, iterations by samples,
features and classes in `estimators`. No clock decides.
"""

import time
import warnings
from dataclasses import dataclass

import numpy as np

from archsmith.errors import TrialFailure
from search.streams import Stream, seed_of
from workers.datasets import GraphSplit, Split
from workers.simple import graphs, pictures
from workers.simple.estimators import PROBLEMS, Fitting, Floats, Simple
from workers.simple.record import NAMES, SimpleScore
from workers.simple.sampling import Samples
from workers.simple.scores import score

MOST_FEATURES = 2_048
"""Of a sample; of more, those that vary most over the training samples."""

MODELS = tuple(NAMES)

USUAL_STRENGTH = 0.1
"""Of a linear model's regularisation, the inverse, where none was chosen on the validation split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleTask:
    """One model of a job. score: one of `workers.conventions.PROBLEM_SCORES`.

    strength: of the linear model's regularisation in the final stage, as chosen on the validation split; None = try
    those of its problem. Trees have none.
    """

    model: str
    score: str
    seed: int
    strength: float | None = None


def fit_and_score(task: SimpleTask, samples: Samples) -> SimpleScore:
    """Runs in a process of the cluster."""
    from threadpoolctl import threadpool_limits

    began, known = time.monotonic(), PROBLEMS[samples.problem]
    y = samples.train.data.y
    if (y == y[:1]).all():
        return SimpleScore(score=None, reason=known.alike)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimiser that would like more iterations than it gets
        x, held_out = features(samples)
        fittings = [_fitting(task, x, samples, strength) for strength in _strengths(task, known)]
        try:
            found = [(_scored(task, one, held_out, samples), one.strength) for one in fittings]
        except TrialFailure as failure:
            return SimpleScore(score=None, reason=str(failure))
    best, strength = max(found, key=lambda pair: pair[0])
    seconds = round(time.monotonic() - began, 3)
    return SimpleScore(score=best, seconds=seconds, features=x.shape[1], strength=strength)


def _fitting(task: SimpleTask, x: Floats, samples: Samples, strength: float | None) -> Fitting:
    return Fitting(
        x=x,
        y=samples.train.data.y,
        problem=samples.problem,
        outputs=samples.classes,
        seed=seed_of(Stream.SIMPLE_MODELS, task.seed, 10),
        strength=strength,
    )


def _scored(task: SimpleTask, fitting: Fitting, held_out: Floats, samples: Samples) -> float:
    predict = PROBLEMS[samples.problem].models[task.model](fitting)
    return score(task.score, predict(held_out), samples.held_out.data.y)


def _strengths(task: SimpleTask, known: Simple) -> tuple[float | None, ...]:
    if task.model != "linear":
        return (None,)
    return known.strengths if task.strength is None else (task.strength,)


def features(samples: Samples) -> tuple[Floats, Floats]:
    """Of the training samples and of those held out, (n, F) each, at most MOST_FEATURES."""
    first, second = _features(samples)
    if first.shape[1] <= MOST_FEATURES:
        return first, second
    kept = np.sort(np.argsort(-first.var(0), kind="stable")[:MOST_FEATURES])
    return first[:, kept], second[:, kept]


def _features(samples: Samples) -> tuple[Floats, Floats]:
    first, second = samples.train.data, samples.held_out.data
    if isinstance(first, Split) and isinstance(second, Split):
        scale = pictures.value_range(first.x)
        return pictures.features(first.x, *scale), pictures.features(second.x, *scale)
    if not isinstance(first, GraphSplit) or not isinstance(second, GraphSplit):
        raise ValueError("the two parts are of different kinds of data")
    if samples.task == "graphs":
        columns = graphs.widest(first.x, np.arange(len(first.x)), most=graphs.OF_GRAPHS)
        return graphs.graph_features(first, columns), graphs.graph_features(second, columns)
    columns = graphs.widest(first.x, np.unique(first.index))
    make = graphs.node_features if samples.task == "nodes" else graphs.link_features
    return (
        make(first, columns, samples.mean, samples.std),
        make(second, columns, samples.mean, samples.std),
    )
