"""Scores beside those of scikit-learn, with ties, rare classes and classes that are missing."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from workers.conventions import score_name
from workers.train.metrics import METRICS, measures


def outputs(classes: int, count: int = 300, *, ties: bool = False, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    y[:classes] = np.arange(classes)
    logits = rng.normal(size=(count, classes)) + 0.8 * np.eye(classes)[y]
    logits = np.round(logits) if ties else logits
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(y)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_those_of_scikit_learn(classes: int, ties: bool) -> None:
    for seed in range(5):
        logits, y = outputs(classes, ties=ties, seed=seed)
        found = measures(logits, y, task="links" if classes == 2 else "image")
        predicted, probabilities = logits.argmax(1).numpy(), logits.double().softmax(1).numpy()
        expected = {
            "accuracy": sklearn.accuracy_score(y, predicted),
            "balanced_accuracy": sklearn.balanced_accuracy_score(y, predicted),
        }
        if classes == 2:
            margin = (logits[:, 1] - logits[:, 0]).numpy()
            expected["auc"] = sklearn.roc_auc_score(y, margin)
            expected["average_precision"] = sklearn.average_precision_score(y, margin)
        else:
            expected["auc"] = sklearn.roc_auc_score(y, probabilities, multi_class="ovr", average="macro")
        assert found == pytest.approx(expected, abs=1e-12)


def test_certain_outputs_keep_their_order() -> None:
    """Probabilities of 1 to the last bit, whose logits differ."""
    logits = torch.tensor([[0.0, 60.0], [0.0, 90.0], [0.0, 70.0], [0.0, 80.0]])
    assert METRICS["auc"](logits, torch.tensor([0, 1, 0, 1])) == 1.0


def test_classes_without_samples_are_left_out() -> None:
    logits, y = outputs(3)
    padded = torch.cat([logits, torch.full((len(y), 2), -50.0)], dim=1)
    for name in ("accuracy", "balanced_accuracy", "auc"):
        assert METRICS[name](padded, y) == pytest.approx(METRICS[name](logits, y), abs=1e-9)


def test_one_class_alone_has_no_curve() -> None:
    logits, y = outputs(3)[0], torch.ones(300, dtype=torch.int64)
    assert set(measures(logits, y, task="links")) == {"accuracy", "balanced_accuracy"}
    assert METRICS["auc"](logits, y) == 0.5


def test_auto_is_the_auc_for_links_only() -> None:
    tasks = ("image", "volume", "nodes", "graphs", "links")
    assert [score_name("auto", task) for task in tasks] == ["accuracy"] * 4 + ["auc"]
    assert score_name("balanced_accuracy", "links") == "balanced_accuracy"
