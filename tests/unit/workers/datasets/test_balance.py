"""Unequal classes are told where the score hides the small ones."""

from dataclasses import replace

import pytest

from workers.datasets.balance import unequal_classes
from workers.datasets.info import DatasetInfo

INFO = DatasetInfo(
    name="d", format="npz", input_shape=(1, 8, 8), classes=3, class_names=("a", "b", "c"), counts=(600, 100, 0),
    train=1, val=1, test=1, dtype="uint8", sha256="", bytes=1, parts={}, report={},
)  # fmt: skip


def test_unequal_classes_are_told() -> None:
    words = unequal_classes("auto", INFO, "image")
    assert words is not None
    assert words.startswith("the classes are unequal: 'a' has 600 samples and 'b' 100 (6.0 to 1)")
    assert words.endswith("and trial.class_weights to 'balanced' so that it does in the training too")
    assert "balanced_accuracy" in words
    assert unequal_classes("auto", INFO, "image", weighted=True) == words.partition(", and trial.class_weights")[0]


@pytest.mark.parametrize(
    ("score", "counts", "task"),
    [
        ("auto", (500, 100, 300), "image"),
        ("balanced_accuracy", INFO.counts, "image"),
        ("auc", INFO.counts, "image"),
        ("accuracy", INFO.counts, "links"),
    ],
)
def test_nothing_is_told_without_need(score: str, counts: tuple[int, ...], task: str) -> None:
    assert unequal_classes(score, replace(INFO, counts=counts), task) is None
