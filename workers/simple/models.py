"""The simple models, by scikit-learn: fitted in seconds on one thread, the same again for the same seed.

The work is bounded before it begins, whatever the data: samples by `sampling`, features here, iterations by samples,
features and classes. No clock decides.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsmith.errors import TrialFailure
from search.streams import Stream, seed_of
from workers.datasets import GraphSplit, Split
from workers.simple import graphs, pictures, series
from workers.simple.record import SimpleScore
from workers.simple.sampling import Samples
from workers.simple.scores import score

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Model = Any
"""A classifier of scikit-learn, which has no types."""

MOST_FEATURES = 2_048
"""Of a sample; of more, those that vary most over the training samples."""

LINEAR_WORK = 4e10
"""Multiplications of a linear model: 100 passes of 5,000 samples, 2,048 features and 40 classes."""

PASSES = (10, 100)
"""Of the linear model's optimiser over the samples, least and most."""

STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse strengths of its regularisation that are tried on the validation split."""

USUAL_STRENGTH = 0.1
"""Where none was chosen."""

TREE_WORK = 400_000
"""Boosted trees of all classes times features: what a tree costs hardly depends on the samples, 5,000 at most."""

ROUNDS, GOOD_ROUNDS = (10, 100), 30
"""Of boosting, least and most; a round adds one tree a class, one in all where there are two classes. Where more than
FEW_FEATURES would leave fewer than GOOD_ROUNDS, only the features that tell the classes apart best are used."""

FEW_FEATURES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleTask:
    """One model of a job. score: "accuracy", "balanced_accuracy" or "auc".

    strength: of the linear model's regularisation in the final stage, as chosen on the validation split; None = try
    STRENGTHS. Trees have none.
    """

    model: str
    score: str
    seed: int
    strength: float | None = None


def fit_and_score(task: SimpleTask, samples: Samples) -> SimpleScore:
    """Runs in a process of the cluster."""
    from threadpoolctl import threadpool_limits

    began = time.monotonic()
    if len(np.unique(samples.train.data.y)) < 2:
        return SimpleScore(score=None, reason="all samples are of one class")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimiser that would like more iterations than it gets
        x, x_held_out = features(samples)
        try:
            models = [(strength, _unfitted(task, x, samples, strength)) for strength in _strengths(task)]
        except TrialFailure as failure:
            return SimpleScore(score=None, reason=str(failure))
        found = [(_score(model.fit(x, samples.train.data.y), x_held_out, task, samples), s) for s, model in models]
    best, strength = max(found, key=lambda pair: pair[0])
    seconds = round(time.monotonic() - began, 3)
    return SimpleScore(score=best, seconds=seconds, features=x.shape[1], strength=strength)


def _unfitted(task: SimpleTask, x: Floats, samples: Samples, strength: float | None) -> Model:
    return MODELS[task.model](x, samples, seed_of(Stream.SIMPLE_MODELS, task.seed, 10), strength)


def _score(model: Model, x: Floats, task: SimpleTask, samples: Samples) -> float:
    return score(task.score, _probabilities(model, x, samples.classes), samples.held_out.data.y)


def _strengths(task: SimpleTask) -> tuple[float | None, ...]:
    if task.model != "linear":
        return (None,)
    return STRENGTHS if task.strength is None else (task.strength,)


def _probabilities(model: Model, x: Floats, classes: int) -> npt.NDArray[np.float64]:
    """(n, classes): 0 for a class that no training sample had."""
    found = np.zeros((len(x), classes))
    found[:, model.classes_] = model.predict_proba(x)
    return found


def _linear(x: Floats, samples: Samples, seed: int, strength: float | None) -> Model:
    """Multinomial logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    passes = _bounded(LINEAR_WORK / (x.size * samples.classes), PASSES, samples.classes)
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=passes, random_state=seed))


def _boosted(x: Floats, samples: Samples, seed: int, strength: float | None) -> Model:  # noqa: ARG001  # as MODELS
    """Gradient boosting of small trees over histograms of the features (Friedman 2001; Ke et al. 2017).

    The fewer rounds, the larger the steps.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import SelectKBest
    from sklearn.pipeline import make_pipeline

    trees = 1 if samples.classes == 2 else samples.classes
    used = min(x.shape[1], max(FEW_FEATURES, TREE_WORK // (GOOD_ROUNDS * trees)))
    rounds = _bounded(TREE_WORK / (trees * used), ROUNDS, samples.classes)
    boosting = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=min(0.3, max(0.1, 8 / rounds)),
        max_leaf_nodes=8,
        max_bins=63,
        min_samples_leaf=5,
        max_features=0.1,
        early_stopping=False,
        random_state=seed,
    )
    return boosting if used == x.shape[1] else make_pipeline(SelectKBest(k=used), boosting)


MODELS: dict[str, Callable[[Floats, Samples, int, float | None], Model]] = {"linear": _linear, "boosted": _boosted}
"""Name -> the unfitted model for training features (n, F), a seed and the linear model's strength."""


def _bounded(wanted: float, limits: tuple[int, int], classes: int) -> int:
    """Raises TrialFailure where even the least would take too long."""
    least, most = limits
    if wanted < least:
        raise TrialFailure(f"{classes} classes are too many for it in the time that it is given", cause="diverged")
    return min(most, int(wanted))


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
        if samples.task == "series":
            return series.features(first.x), series.features(second.x)
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
