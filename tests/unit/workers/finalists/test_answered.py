"""What is told of the answers on the test split is what scikit-learn says of them, and short for any size."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax
from sklearn import metrics

from workers.conventions import PROBLEMS
from workers.datasets import Split
from workers.finalists import answered as module
from workers.finalists import confusion
from workers.finalists.answered import MOST_POINTS, OnTest, answered

RNG = np.random.default_rng(0)
ROWS = 1000


def told(problem: str, outputs: np.ndarray, y: np.ndarray) -> Any:
    """As it is stored and read."""
    split = Split(x=np.zeros((len(y), 1, 1, 1), np.uint8), y=y)
    found = answered(problem, OnTest(outputs=outputs, y=y, split=split))
    return json.loads(json.dumps(found, allow_nan=False))


def test_a_regression_is_told_in_the_units_of_each_target() -> None:
    y = (RNG.normal(size=(ROWS, 2)) * (1e6, 1e-3) + (0, 50)).astype(np.float32)
    outputs = (y + RNG.normal(size=y.shape) * (3e5, 2e-4)).astype(np.float32)
    found = told("regression", outputs, y)
    for k, row in enumerate(found["targets"]):
        true, given = y[:, k].astype(float), outputs[:, k].astype(float)
        assert row["r2"] == pytest.approx(metrics.r2_score(true, given))
        assert row["mae"] == pytest.approx(metrics.mean_absolute_error(true, given))
        assert row["rmse"] == pytest.approx(metrics.root_mean_squared_error(true, given))
        assert row["mae_of_median"] == pytest.approx(metrics.mean_absolute_error(true, np.full(ROWS, np.median(true))))
    points = np.array(found["points"])
    assert points.shape == (2, MOST_POINTS, 2)
    np.testing.assert_allclose(points[0, [0, -1], 0], y[[0, -1], 0], rtol=1e-4)
    np.testing.assert_allclose(points[1, [0, -1], 1], outputs[[0, -1], 1], rtol=1e-4)


def test_a_flat_target_has_errors_and_no_r2() -> None:
    found = told("regression", np.array([[1.0], [2.0]], np.float32), np.array([[1.0], [1.0]], np.float32))
    assert found["targets"] == [{"r2": None, "mae": 0.5, "rmse": 0.5**0.5, "bias": 0.5, "mae_of_median": 0.0}]
    assert found["points"] == [[[1.0, 1.0], [1.0, 2.0]]]


def test_each_label_has_its_own_figures() -> None:
    y = (RNG.random((ROWS, 4)) < (0.5, 0.05, 0.0, 1.0)).astype(np.uint8)
    logits = (RNG.normal(size=y.shape) + y).round(1).astype(np.float32)  # with many equal values
    logits[:, 3] = -1
    said = logits >= 0
    found = told("multilabel", logits, y)
    assert found["samples"] == ROWS
    for k in (0, 1):
        row = found["labels"][k]
        assert row["positives"] == y[:, k].sum()
        assert row["average_precision"] == pytest.approx(metrics.average_precision_score(y[:, k], logits[:, k]))
        assert row["f1"] == pytest.approx(metrics.f1_score(y[:, k], said[:, k]))
        assert row["precision"] == pytest.approx(metrics.precision_score(y[:, k], said[:, k]))
        assert row["recall"] == pytest.approx(metrics.recall_score(y[:, k], said[:, k]))
    never, always = found["labels"][2:]
    assert (never["average_precision"], never["recall"], never["f1"]) == (None, None, 0)
    assert (always["precision"], always["recall"], always["average_precision"]) == (None, 0, pytest.approx(1))


def test_ordered_classes_are_told_by_true_class_and_answer() -> None:
    y, logits = RNG.integers(0, 4, ROWS), RNG.normal(size=(ROWS, 4)).astype(np.float32)
    found = told("ordinal", logits, y)
    np.testing.assert_array_equal(found["classes"], metrics.confusion_matrix(y, logits.argmax(1)))
    assert found["steps"] == np.bincount(np.abs(y - logits.argmax(1)), minlength=4).tolist()


def test_many_columns_are_cut_and_many_classes_have_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 2)
    monkeypatch.setattr(module, "MOST_TARGETS", 1)
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    values = RNG.normal(size=(5, 3)).astype(np.float32)
    found = told("regression", values, values)
    assert (len(found["targets"]), len(found["points"])) == (2, 1)
    assert len(told("multilabel", values, (values > 0).astype(np.uint8))["labels"]) == 2
    assert told("ordinal", values, values.argmax(1))["classes"] is None


def test_classes_are_told_with_what_they_are_taken_for() -> None:
    y = RNG.integers(0, 4, ROWS)
    logits = (RNG.normal(size=(ROWS, 5)) + 2 * np.eye(5)[y]).astype(np.float32)  # nothing is of the last class
    given = logits.argmax(1)
    found = told("classification", logits, y)
    table = metrics.confusion_matrix(y, given, labels=range(5))
    np.testing.assert_array_equal(found["table"], table)
    assert found["samples"] == ROWS
    for k, row in enumerate(found["classes"][:4]):
        assert row["samples"] == (y == k).sum()
        assert row["recall"] == pytest.approx((given[y == k] == k).mean())
        assert row["precision"] == pytest.approx((y[given == k] == k).mean())
    assert (found["classes"][4]["recall"], found["classes"][4]["precision"]) == (None, 0)
    counts = [pair["samples"] for pair in found["confused"]]
    assert counts == sorted(table[~np.eye(5, dtype=bool)].tolist(), reverse=True)[: confusion.PAIRS]
    for pair in found["confused"]:
        row = pair["example"]["row"]
        assert (y[row], given[row]) == (pair["truth"], pair["answer"])
        share = softmax(logits[(y == pair["truth"]) & (given == pair["answer"])], axis=1)[:, pair["answer"]].max()
        assert pair["example"]["probability"] == pytest.approx(share)


def test_confused_pictures_are_shown_and_other_samples_are_not() -> None:
    y, logits = np.array([0, 1]), np.array([[0, 1], [0, 1]], np.float32)
    x = np.zeros((2, 3, 200, 100), np.uint8)
    x[0, 0] = 255
    pairs = confusion.confused(logits, y, Split(x=x, y=y))["confused"]
    [pair] = pairs
    shown = Image.open(io.BytesIO(base64.b64decode(pair["example"]["picture"])))
    assert (shown.size, shown.getpixel((0, 0))) == ((34, 67), (255, 0, 0))
    few_levels = confusion.confused(logits, y, Split(x=(x > 0).astype(np.uint8)[:, :1] * 16, y=y))["confused"]
    levels = Image.open(io.BytesIO(base64.b64decode(few_levels[0]["example"]["picture"])))
    assert levels.getpixel((0, 0)) == 255, "levels of 0 to 16 are stretched"
    volume = confusion.confused(logits, y, Split(x=np.zeros((2, 1, 4, 4, 4), np.uint8), y=y))
    assert volume["confused"][0]["example"]["picture"] is None
    right = confusion.confused(logits, np.array([1, 1]), Split(x=x, y=y))
    assert right["confused"] == []


def test_many_classes_have_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confusion, "MOST_CLASSES", 2)
    monkeypatch.setattr(confusion, "MOST_ROWS", 2)
    found = told("classification", np.eye(3, dtype=np.float32), np.arange(3))
    assert (found["table"], len(found["classes"])) == (None, 2)


def test_thousands_of_classes_take_no_square_of_memory() -> None:
    logits = np.zeros((4, 200_000), np.float32)
    logits[:, 7] = 1
    found = told("classification", logits, np.array([7, 9, 9, 199_999]))
    assert (found["table"], len(found["classes"])) == (None, confusion.MOST_ROWS)
    assert [(pair["truth"], pair["answer"], pair["samples"]) for pair in found["confused"]] == [
        (9, 7, 2),
        (199_999, 7, 1),
    ]


def test_every_problem_is_told() -> None:
    assert set(module.ANSWERED) == set(PROBLEMS)
