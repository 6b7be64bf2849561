"""The simple models of each problem, by scikit-learn, with bounded work.

    classification, ordinal   multinomial logistic regression; gradient-boosted trees
    multilabel                the same, for each label against the rest
    regression                ridge regression of all targets; gradient-boosted trees for each

A new problem is one more row of PROBLEMS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsmith.errors import TrialFailure
from workers.datasets.raw import Array
from workers.wording import counted

Floats = npt.NDArray[np.float32]
Answers = npt.NDArray[np.float64]
Model = Any
"""An estimator of scikit-learn, which has no types."""
Predictor = Callable[[Floats], Answers]
"""Features (n, F) -> what a network's outputs mean: probabilities or values, (n, K)."""

LINEAR_WORK = 4e10
"""Multiplications of a linear model: 100 passes of 5,000 samples, 2,048 features and 40 classes."""

PASSES = (10, 100)
"""Of the linear model's optimiser over the samples, least and most."""

TREE_WORK = 400_000
"""Boosted trees of all classes times features: what a tree costs hardly depends on the samples, 5,000 at most."""

ROUNDS, GOOD_ROUNDS = (10, 100), 30
"""Of boosting, least and most; a round adds one tree a class, one in all where there are two classes. Where more than
FEW_FEATURES would leave fewer than GOOD_ROUNDS, only the features that tell the classes apart best are used."""

FEW_FEATURES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """What a model is fitted to.

    x: (n, F) features of the training samples. y: (n,) or (n, K) answers, as in `workers.datasets.raw.RawDataset`.
    outputs: K. strength: of a linear model's regularisation, the inverse.
    """

    x: Floats
    y: Array
    problem: str
    outputs: int
    seed: int
    strength: float | None

    def bounded(self, wanted: float, limits: tuple[int, int]) -> int:
        """Passes or rounds. Raises TrialFailure where even the least would take too long."""
        least, most = limits
        if wanted < least:
            many = f"{counted(self.problem, self.outputs)} are too many for it in the time that it is given"
            raise TrialFailure(many, cause="diverged")
        return min(most, int(wanted))

    def trees(self, *, each_round: int) -> tuple[int, Mapping[str, Any]]:
        """Features that boosting uses, and its settings. each_round: trees that a round adds. The fewer rounds, the
        larger the steps."""
        used = min(self.x.shape[1], max(FEW_FEATURES, TREE_WORK // (GOOD_ROUNDS * each_round)))
        rounds = self.bounded(TREE_WORK / (each_round * used), ROUNDS)
        return used, {
            "max_iter": rounds,
            "learning_rate": min(0.3, max(0.1, 8 / rounds)),
            "max_leaf_nodes": 8,
            "max_bins": 63,
            "min_samples_leaf": 5,
            "max_features": 0.1,
            "early_stopping": False,
            "random_state": self.seed,
        }


def _scaled(model: Model) -> Model:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def _of_the_best(model: Model, used: int, available: int, *, score: Callable[..., Any]) -> Model:
    from sklearn.feature_selection import SelectKBest
    from sklearn.pipeline import make_pipeline

    return model if used == available else make_pipeline(SelectKBest(score, k=used), model)


# ---- classes


def _logistic(given: Fitting) -> Model:
    """Multinomial logistic regression on standardised features; of each label against the rest, of two classes."""
    from sklearn.linear_model import LogisticRegression

    passes = given.bounded(LINEAR_WORK / (given.x.size * given.outputs), PASSES)
    return _scaled(LogisticRegression(C=given.strength, max_iter=passes, random_state=given.seed))


def _boosted_classes(given: Fitting) -> Model:
    """Gradient boosting of small trees over histograms of the features (Friedman 2001; Ke et al. 2017)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import f_classif

    one = given.outputs == 2 and given.problem != "multilabel"
    used, settings = given.trees(each_round=1 if one else given.outputs)
    return _of_the_best(HistGradientBoostingClassifier(**settings), used, given.x.shape[1], score=f_classif)


def _classes(make: Callable[[Fitting], Model]) -> Callable[[Fitting], Predictor]:
    def fitted(given: Fitting) -> Predictor:
        model = make(given).fit(given.x, given.y)

        def probabilities(x: Floats) -> Answers:
            """0 for a class that no training sample had."""
            found = np.zeros((len(x), given.outputs))
            found[:, model.classes_] = model.predict_proba(x)
            return found

        return probabilities

    return fitted


def _labels(make: Callable[[Fitting], Model]) -> Callable[[Fitting], Predictor]:
    """One model a label, against the rest. A label that all training samples agree on is answered as they do."""

    def fitted(given: Fitting) -> Predictor:
        columns = given.y.T
        models = [make(given).fit(given.x, on) if on.min() != on.max() else float(on[0]) for on in columns]

        def probabilities(x: Floats) -> Answers:
            columns = [np.full(len(x), m) if isinstance(m, float) else m.predict_proba(x)[:, 1] for m in models]
            return np.stack(columns, axis=1)

        return probabilities

    return fitted


# ---- numbers


def _ridge(given: Fitting) -> Predictor:
    """Ridge regression (Hoerl & Kennard 1970) of all targets on standardised features."""
    from sklearn.linear_model import Ridge

    model = _scaled(Ridge(alpha=1.0 / (given.strength or 1.0)))
    return _values(model.fit(given.x.astype(np.float64), given.y.astype(np.float64)), given.outputs)


def _boosted_values(given: Fitting) -> Predictor:
    """As `_boosted_classes`, of the squared error, one model a target."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.feature_selection import f_regression

    used, settings = given.trees(each_round=given.outputs)
    make = HistGradientBoostingRegressor
    predictors = [
        _values(_of_the_best(make(**settings), used, given.x.shape[1], score=f_regression).fit(given.x, column), 1)
        for column in given.y.T.astype(np.float64)
    ]
    return lambda x: np.concatenate([predict(x) for predict in predictors], axis=1)


def _values(model: Model, outputs: int) -> Predictor:
    return lambda x: np.asarray(model.predict(x), dtype=np.float64).reshape(len(x), outputs)


# ---- by problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Simple:
    """The simple models of a problem.

    models: by the names of `workers.simple.record.NAMES`, what fits them. strengths: that are tried on the validation
    split, of the linear model. alike: why nothing can be learned of such y, where all samples are alike.
    """

    models: Mapping[str, Callable[[Fitting], Predictor]]
    strengths: tuple[float, ...] = (0.01, 0.1, 1.0)
    alike: str = "all samples are of one class"


CLASSES = Simple(models={"linear": _classes(_logistic), "boosted": _classes(_boosted_classes)})
PROBLEMS: Mapping[str, Simple] = {
    "classification": CLASSES,
    "ordinal": CLASSES,
    "multilabel": Simple(
        models={"linear": _labels(_logistic), "boosted": _labels(_boosted_classes)},
        alike="all samples have the same labels",
    ),
    "regression": Simple(
        models={"linear": _ridge, "boosted": _boosted_values},
        strengths=(0.001, 0.01, 0.1, 1.0),
        alike="all samples have the same values",
    ),
}
"""Problem -> its simple models."""
