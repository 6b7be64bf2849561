"""Shares of samples: their mean is the score, and each is the derivative of scikit-learn's score by its weight."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn import metrics as sklearn

from tests.unit.workers.train.test_metrics import outputs
from workers.train.metrics import METRICS
from workers.train.shares import SHARES, shares

Array = npt.NDArray[np.float64]


def weighted(name: str, logits: torch.Tensor, y: torch.Tensor) -> Callable[[Array], float]:
    """scikit-learn's score as a function of the samples' weights."""
    predicted, probabilities = logits.argmax(1).numpy(), logits.double().softmax(1).numpy()
    margin = (logits[:, 1] - logits[:, 0]).numpy()
    if name == "accuracy":
        return lambda w: float(sklearn.accuracy_score(y, predicted, sample_weight=w))
    if name == "balanced_accuracy":
        return lambda w: float(sklearn.balanced_accuracy_score(y, predicted, sample_weight=w))
    if name == "average_precision":
        return lambda w: float(sklearn.average_precision_score(y, margin, sample_weight=w))
    if logits.shape[1] == 2:
        return lambda w: float(sklearn.roc_auc_score(y, margin, sample_weight=w))
    curves = [(y.numpy() == label, probabilities[:, label]) for label in range(logits.shape[1])]
    return lambda w: float(np.mean([sklearn.roc_auc_score(is_it, p, sample_weight=w) for is_it, p in curves]))


CASES = [
    (name, classes)
    for name in ("accuracy", "balanced_accuracy", "auc", "average_precision")
    for classes in (2, 3)
    if (name, classes) != ("average_precision", 3)
]


@pytest.mark.parametrize(("name", "classes"), CASES)
@pytest.mark.parametrize("ties", [False, True])
def test_a_share_is_the_derivative_of_the_score_by_the_weight(name: str, classes: int, ties: bool) -> None:
    logits, y = outputs(classes, 40, ties=ties)
    score, step = weighted(name, logits, y), 1e-4
    found = SHARES[name](logits, y).numpy()
    for sample in (0, 13, 26, 39):
        up, down = (np.where(np.arange(40) == sample, 1 + sign * step, 1.0) for sign in (1, -1))
        slope = (score(up) - score(down)) / (2 * step)
        assert found[sample] == pytest.approx(score(np.ones(40)) + 40 * slope, abs=1e-5)


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_the_mean_of_the_shares_is_the_score(name: str, classes: int) -> None:
    logits, y = outputs(classes, ties=True)
    found = shares(name, logits, y)
    assert (found.shape, found.dtype) == ((300,), torch.float32)
    assert float(found.double().mean()) == pytest.approx(METRICS[name](logits, y), abs=1e-6)


def test_the_components_of_delong_by_hand() -> None:
    """Positives at 3 and 1, negatives at 2, 0 and 0: of six pairs five are in order."""
    logits = torch.tensor([[0.0, 3.0], [0.0, 1.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    found = shares("auc", logits, torch.tensor([1, 1, 0, 0, 0]))
    area, above, below = 5 / 6, (1.0, 2 / 3), (0.5, 1.0, 1.0)
    expected = [area + 5 / 2 * (one - area) for one in above] + [area + 5 / 3 * (one - area) for one in below]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_classes_without_samples_have_no_part_in_the_shares() -> None:
    logits, y = outputs(3)
    padded = torch.cat([logits, torch.full((len(y), 2), -50.0)], dim=1)
    for name in ("accuracy", "balanced_accuracy", "auc"):
        assert torch.allclose(SHARES[name](padded, y), SHARES[name](logits, y), atol=1e-9)


def test_where_no_class_has_a_curve_all_shares_are_chance() -> None:
    assert set(shares("auc", outputs(3)[0], torch.ones(300, dtype=torch.int64)).tolist()) == {0.5}


def test_there_are_shares_of_every_score() -> None:
    assert SHARES.keys() == METRICS.keys()
