"""The check of numbers, several labels and masks, and what is described of each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.workers.sources import pixels
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.check import sentences
from workers.datasets.check_answers import half_width_r2
from workers.datasets.raw import RawDataset

RNG = np.random.default_rng(5)
N = 3000


def stored(
    folder: Path, problem: str, y: np.ndarray, *, x: np.ndarray | None = None, **parts: tuple[int, int]
) -> DatasetInfo:
    x = pixels(len(y), 1, 4, 4) if x is None else x
    names = tuple("abcdefgh"[: 3 if y.ndim == 3 else y.shape[1]])
    raw = RawDataset(
        format="npz", pieces=(x,), dtype=x.dtype, y=y, class_names=names, parts=parts or {"train": (0, len(y))},
        problem=problem,
    )  # fmt: skip
    info = DataStore(folder).add("data", raw)
    assert DataStore(folder).describe("data") == info
    return info


def found(info: DatasetInfo) -> dict[str, dict[str, Any]]:
    assert info.check is not None
    return {finding["rule"]: finding for finding in info.check["findings"]}


def answers(info: DatasetInfo) -> dict[str, Any]:
    assert info.check is not None
    described: dict[str, Any] = info.check["answers"]
    return described


def numbers(count: int = N) -> np.ndarray:
    return RNG.normal(size=(count, 1)).astype(np.float32)


def test_sound_numbers_are_described(tmp_path: Path) -> None:
    y = (np.arange(N)[::-1, None] / 10).astype(np.float32)
    info = stored(tmp_path, "regression", y)
    assert (found(info), info.split_counts) == ({}, None)
    assert sentences(info) == []
    (target,) = answers(info)["targets"]
    assert (target["name"], target["least"], target["largest"], target["median"]) == ("a", 0.0, 299.9, 149.95)
    assert (target["lower_quartile"], target["upper_quartile"]) == (74.975, 224.925)


def test_numbers_that_mark_missing_ones(tmp_path: Path) -> None:
    y = numbers()
    y[[3, 700]] = -999
    finding = found(stored(tmp_path, "regression", y))["far_values"]
    assert "2 values of the target a lie far from all others" in finding["detail"]
    assert finding["examples"] == ["picture 3: -999", "picture 700: -999"]


def test_few_whole_values_and_few_samples(tmp_path: Path) -> None:
    told = found(stored(tmp_path / "a", "regression", (np.arange(60)[:, None] % 4).astype(np.float32)))
    assert "--problem ordinal" in told["few_values"]["detail"]
    low, high = 0.5 - half_width_r2(12), 0.5 + half_width_r2(12)
    assert f"an R² of 0.5 on so few may stand for {low:.2f} to {high:.2f}" in told["few_samples"]["detail"]


def test_the_same_picture_with_two_answers(tmp_path: Path) -> None:
    x, y = pixels(N, 1, 4, 4), numbers()
    x[9] = x[4]
    x[20], y[20] = x[30], y[30]
    told = found(stored(tmp_path / "a", "regression", y, x=x))
    assert told["same_sample_two_answers"]["detail"].startswith("2 samples have other targets than their repeats")
    assert sorted(told["same_sample_two_answers"]["examples"][0].split(" = ")) == ["picture 4", "picture 9"]
    marks = RNG.integers(0, 2, (N, 3)).astype(np.uint8)
    marks[4], marks[9] = [0, 1, 0], [1, 1, 0]
    assert (
        "other labels" in found(stored(tmp_path / "b", "multilabel", marks, x=x))["same_sample_two_answers"]["detail"]
    )
    masks = RNG.integers(0, 3, (N, 4, 4)).astype(np.uint8)
    assert (
        "other masks" in found(stored(tmp_path / "c", "segmentation", masks, x=x))["same_sample_two_answers"]["detail"]
    )


@pytest.mark.parametrize(("shift", "told"), [(0.0, False), (20.0, True)])
def test_a_given_test_split_beyond_the_training_values(tmp_path: Path, shift: float, told: bool) -> None:
    y = numbers()
    y[2000:] += shift
    info = stored(tmp_path, "regression", y, train=(0, 2000), test=(2000, N))
    assert ("range_differs" in found(info)) == told


def test_several_labels(tmp_path: Path) -> None:
    y = RNG.integers(0, 2, (N, 4)).astype(np.uint8)
    y[:, 2] = y[:, 1]
    y[:, 3] = np.arange(N) < 2
    y[100:200] = 0
    info = stored(tmp_path, "multilabel", y)
    told = found(info)
    assert told.keys() >= {"small_class", "class_missing", "labels_equal"}
    assert told["labels_equal"]["examples"] == ["b = c"]
    assert answers(info)["without"] == int((y.sum(axis=1) == 0).sum())
    assert info.split_counts is not None
    assert np.sum(list(info.split_counts.values()), axis=0).tolist() == list(info.counts)


def test_masks(tmp_path: Path) -> None:
    y = RNG.integers(0, 2, (N, 4, 4)).astype(np.uint8)
    y[:, 0] = 255
    y[:10] = 1
    y[40, 2, 2] = 2
    info = stored(tmp_path, "segmentation", y)
    assert (info.tasks, info.counts) == (("segmentation",), tuple(np.bincount(y.ravel())[:3].tolist()))
    described = answers(info)
    assert described["shares"] == pytest.approx((np.array(info.counts) / sum(info.counts)).tolist(), rel=1e-3)
    assert described["not_judged"] == pytest.approx(0.25, abs=0.01)
    assert described["one_class"] >= 10
    told = found(info)
    assert told["small_class"]["examples"] == ["c"]
    assert "no pixel of 'c'" in told["class_missing"]["detail"]


def test_few_pictures_with_masks(tmp_path: Path) -> None:
    info = stored(tmp_path, "segmentation", RNG.integers(0, 3, (60, 4, 4)).astype(np.uint8))
    assert "mean IoU depends much on which these are" in found(info)["few_samples"]["detail"]
