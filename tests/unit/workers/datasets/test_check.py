"""The check of a data set at upload: each rule on small generated data, and silence where there is nothing to say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.workers.graph_sources import masks, write_graph, write_tu
from tests.unit.workers.sources import class_folders, picture, pixels, write_npz, write_zip
from workers.datasets import DatasetInfo, DataStore, graph, images, npz, tu
from workers.datasets.check import sentences
from workers.datasets.raw import RawDataset


def stored(tmp_path: Path, x: np.ndarray, y: np.ndarray, **parts: tuple[int, int]) -> DatasetInfo:
    """x: (N, C, H, W)."""
    raw = RawDataset(
        format="npz",
        pieces=(x,),
        dtype=x.dtype,
        y=y.astype(np.int64),
        class_names=tuple("abcdefgh"[: int(y.max()) + 1]),
        parts=parts or {"train": (0, len(y))},
    )
    return DataStore(tmp_path).add("data", raw)


def findings(info: DatasetInfo) -> dict[str, dict[str, Any]]:
    """By rule; of two with one rule the last."""
    assert info.check is not None
    for finding in info.check["findings"]:
        assert finding["detail"]
        assert len(finding["examples"]) <= 10
    return {finding["rule"]: finding for finding in info.check["findings"]}


def test_sound_data_has_no_findings(tmp_path: Path) -> None:
    info = stored(tmp_path, pixels(2000, 1, 3, 3), np.arange(2000) % 4)
    assert info.check == {"findings": []}
    assert sentences(info) == []
    assert info.split_counts == {"train": [340] * 4, "val": [60] * 4, "test": [100] * 4}
    assert DataStore(tmp_path).describe("data") == info
    digits = DataStore(tmp_path).describe("digits")
    assert digits.check == {"findings": []}


def test_the_same_sample_in_two_classes_and_in_two_splits(tmp_path: Path) -> None:
    x, y = pixels(1000, 1, 3, 3), np.arange(1000) % 3
    x[[7, 650, 651]] = x[5]  # rows 5, 7, 650, 651 have the classes 2, 1, 2, 0
    x[851] = x[500]  # both of class 2
    found = findings(stored(tmp_path, x, y, train=(0, 600), val=(600, 800), test=(800, 1000)))
    assert found.keys() == {"same_sample_two_classes", "repeats", "repeats_across_splits"}
    assert "4 samples are in more than one class" in found["same_sample_two_classes"]["detail"]
    assert found["same_sample_two_classes"]["examples"] == ["val picture 51 = train picture 5"]
    assert found["repeats"]["detail"] == "4 samples are byte for byte repeats of others"
    assert len(found["repeats"]["examples"]) == 2
    assert "1 of 200 test samples" in found["repeats_across_splits"]["detail"]
    assert found["repeats_across_splits"]["examples"] == ["train picture 500 = test picture 51"]


def test_examples_are_bounded(tmp_path: Path) -> None:
    x = np.concatenate([pixels(500, 1, 3, 3)] * 2)
    found = findings(stored(tmp_path, x, np.arange(1000) // 500))
    assert "1000 samples are in more than one class" in found["same_sample_two_classes"]["detail"]
    assert {len(one["examples"]) for rule, one in found.items() if rule != "few_samples"} == {10}


def test_small_and_unequal_classes(tmp_path: Path) -> None:
    y = np.repeat([0, 1, 2], [3000, 5, 1])
    info = stored(tmp_path, pixels(3006, 1, 3, 3), y)
    found = findings(info)
    assert found["small_class"]["detail"].startswith("2 classes have 5 samples or fewer: 'b' (5), 'c' (1);")
    assert found["small_class"]["examples"] == ["b", "c"]
    assert "balanced_accuracy" in found["unequal_classes"]["detail"]
    assert [one["examples"] for one in info.check["findings"] if one["rule"] == "class_missing"] == [["c"], ["c"]]  # type: ignore[index]
    assert "the final score says nothing about it" in found["class_missing"]["detail"]
    about_c = [text for text in sentences(info) if "'c'" in text and "5 samples or fewer" in text]
    assert about_c[0].endswith("; the validation split has no sample of 'c'; the test split has no sample of 'c'")
    assert not any("'c'" in text for text in sentences(info) if text not in about_c), "one rare class, one warning"


def test_a_class_that_is_unequal_only_by_being_rare_is_told_once(tmp_path: Path) -> None:
    info = stored(tmp_path, pixels(2001, 1, 3, 3), np.repeat([0, 1, 2], [1000, 1000, 1]))
    assert findings(info).keys() == {"small_class", "unequal_classes", "class_missing"}
    [told] = sentences(info)
    assert told.startswith("one class has 5 samples or fewer: 'c' (1)")


def test_classes_that_a_given_split_lacks(tmp_path: Path) -> None:
    y = np.concatenate([np.arange(400) % 2, np.arange(400) % 3])
    info = stored(tmp_path, pixels(800, 1, 3, 3), y, train=(0, 400), test=(400, 800))
    missing = [one for one in info.check["findings"] if one["rule"] == "class_missing"]  # type: ignore[index]
    assert [one["examples"] for one in missing] == [["c"], ["c"]]
    assert missing[0]["detail"].startswith("the training split has no sample of 'c', so no model can learn")
    assert info.report["warnings"] == ["class c has no training samples"], "as before there was a check"
    assert not any("has no training samples" in text for text in sentences(info)), "told once"


@pytest.mark.parametrize(("count", "says"), [(8, "nothing can be"), (300, "cannot be")])
def test_few_samples_have_wide_intervals(tmp_path: Path, count: int, says: str) -> None:
    info = stored(tmp_path, pixels(count, 1, 3, 3), np.arange(count) % 2)
    few = [one["detail"] for one in info.check["findings"] if one["rule"] == "few_samples"]  # type: ignore[index]
    assert len(few) == 2
    assert all(says in text and "(95 %)" in text for text in few)
    if count == 8:
        assert "the test split has 2 samples: a score of 0.5 on so few may stand for 0.00 to 1.00" in few[1]


@pytest.mark.parametrize(("of_test", "told"), [(1.0, False), (1 / 255, True), (0.4, False)])
def test_splits_of_another_scale(tmp_path: Path, of_test: float, told: bool) -> None:
    x = pixels(800, 1, 3, 3).astype(np.float32)
    x[600:] *= of_test
    found = findings(stored(tmp_path, x, np.arange(800) % 2, train=(0, 600), test=(600, 800)))
    assert ("scale_differs" in found) == told
    if told:
        assert "values of the test split are 0 to 1 (" in found["scale_differs"]["detail"]


def test_pictures_are_named_by_their_files(tmp_path: Path) -> None:
    members = class_folders(each=6) | {"class0/same.png": picture(3), "class1/same.png": picture(3)}
    (tmp_path / "scratch").mkdir()
    raw = images.read(write_zip(tmp_path / "a.zip", members), scratch=tmp_path / "scratch")
    found = findings(DataStore(tmp_path / "store").add("a", raw))
    assert found["same_sample_two_classes"]["examples"] == ["class0/3.png = class1/same.png"]
    assert "class0/3.png = class0/same.png" in found["repeats"]["examples"]


def test_graphs_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    store = DataStore(tmp_path / "store")
    many = store.add("many", tu.read([write_tu(tmp_path / "a.zip")], scratch=tmp_path / "scratch"))
    assert "few_samples" in findings(many)
    alike = tu.read([write_tu(tmp_path / "c.zip", node_labels=None)], scratch=tmp_path / "scratch")
    examples = findings(store.add("alike", alike))["repeats"]["examples"]
    assert "graph 22 = graph 24" in examples, "of 24, as the files count"
    assert many.split_counts is not None
    assert sum(map(sum, many.split_counts.values())) == sum(many.counts)
    raw = graph.read([write_graph(tmp_path / "b.npz", **masks())], scratch=tmp_path / "scratch")
    one = store.add("one", raw)
    assert "repeats" not in findings(one)
    assert one.split_counts is not None
    assert [sum(counts) for counts in one.split_counts.values()] == [one.train, one.val, one.test]


def test_data_sets_stored_before_there_was_a_check(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x=pixels(40, 3, 3), y=np.arange(40) % 2)
    (tmp_path / "scratch").mkdir()
    info = DataStore(tmp_path / "store").add("a", npz.read(path, scratch=tmp_path / "scratch"))
    document = info.to_json()
    for field in ("check", "split_counts"):
        del document[field]
    before = DatasetInfo.from_json(document)
    assert (before.check, before.split_counts) == (None, None)
    assert sentences(before) == info.report["warnings"]
