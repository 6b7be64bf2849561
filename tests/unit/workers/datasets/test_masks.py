"""Masks as arrays: which values are classes, which pixels are not judged, and what is refused."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import pixels, rules, write_npz
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest
from workers.datasets.mask_classes import MaskClasses, classes_of
from workers.datasets.masks import counted

N = 20
MASKS = np.random.default_rng(3).integers(0, 3, (N, 8, 9))


def classes(*values: int, each: int = 100, **how: Any) -> MaskClasses:
    return classes_of(dict.fromkeys(values, each), what="the masks", **how)


@pytest.mark.parametrize(("values", "known", "not_judged"), [
    ((0, 1), (0, 1), None),
    ((0, 255), (0, 255), None),
    ((0, 1, 255), (0, 1), 255),
    ((0, 128, 255), (0, 128, 255), None),
    ((*range(21), 255), tuple(range(21)), 255),
    ((*range(150), 255), tuple(range(150)), 255),
    ((0, 50, 100, 150, 255), (0, 50, 100, 150, 255), None),
    ((-1, 0, 1), (0, 1), -1),
    ((-100, 3, 7), (3, 7), -100),
    ((7, 300), (7, 300), None),
])  # fmt: skip
def test_values_are_classes_and_one_may_be_not_judged(
    values: tuple[int, ...], known: tuple[int, ...], not_judged: int | None
) -> None:
    found = classes(*values)
    assert (found.values, found.names, found.not_judged) == (known, tuple(map(str, known)), not_judged)
    assert any("are not judged" in text for text in found.warnings) == (not_judged is not None)
    assert any(str(known[0]) in text for text in found.warnings), "the classes are told"
    stored = found.stored(np.array(values))
    assert stored.tolist() == [known.index(value) if value in known else 255 for value in values]


def test_names_of_classes_by_value_and_by_order() -> None:
    assert classes(0, 2, names=["a", "b", "c"]).values == (0, 1, 2)
    by_order = classes(0, 255, names=["ground", "road"])
    assert (by_order.values, by_order.names) == ((0, 255), ("ground", "road"))
    assert classes(0, 7, names={0: "a", 7: "b", 9: "c"}).names == ("a", "b")
    partly = classes(0, 7, names={7: "b"})
    assert partly.names == ("0", "b")
    assert "does not name 0" in partly.warnings[0]
    red = classes(0x000000, 0xFF0000, colours=True)
    assert red.names == ("#000000", "#ff0000")
    with pytest.raises(InvalidDataset, match="which name is whose"):
        classes(3, 7, 9, names=["a", "b"])


SMOOTHED = {0: 5000, 255: 4000, **dict.fromkeys(range(20, 240, 20), 10)}


@pytest.mark.parametrize(("counts", "rule"), [
    (SMOOTHED, "mask_blurred"),
    (dict.fromkeys(range(300), 5), "mask_invalid"),
    ({0: 10, 255: 0} | {4: 9}, None),
    ({5: 10}, "too_few_classes"),
    ({-1: 5, -2: 5, 0: 5}, "mask_invalid"),
    ({-1: 5, 0: 5}, "too_few_classes"),
])  # fmt: skip
def test_values_that_are_no_classes(counts: dict[int, int], rule: str | None) -> None:
    if rule is None:
        classes_of(counts, what="the masks")
        return
    with pytest.raises(InvalidDataset) as caught:
        classes_of(counts, what="the masks")
    assert rules(caught) == {rule}


def test_many_colours_are_a_photograph() -> None:
    with pytest.raises(InvalidDataset, match="70 different colours"):
        classes(*range(70), colours=True)


def test_pixels_are_counted() -> None:
    for values in (np.array([[0, 3], [3, 3]]), np.array([-1, -1, 70_000])):
        assert counted(values) == dict(Counter(values.ravel().tolist()))


# ---- whole files


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, folder: Path, problem: str | None = None, **arrays: Any) -> DatasetInfo:
    path = write_npz(folder / "a.npz", **{"x": pixels(N, 8, 9, 3), **arrays})
    return ingest("npz", path, name="sample", store=store, problem=problem)


@pytest.mark.parametrize("name", ["y", "masks", "mask"])
@pytest.mark.parametrize("shape", [(N, 8, 9), (N, 1, 8, 9), (N, 8, 9, 1)])
def test_masks_are_known_by_their_shape(store: DataStore, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    given: dict[str, Any] = {name: MASKS.reshape(shape)}
    info = read(store, tmp_path, **given)
    assert (info.problem, info.tasks, info.kind) == ("segmentation", ("segmentation",), "image")
    assert (info.class_names, info.input_shape) == (("0", "1", "2"), (3, 8, 9))
    assert info.counts == tuple(np.bincount(MASKS.ravel()).tolist())
    opened = store.open("sample", seed=0)
    assert opened.y.dtype == np.uint8
    assert (np.asarray(opened.y) == MASKS).all()
    assert any("read as segmentation; --problem says otherwise" in text for text in info.report["warnings"])


def test_masks_of_parts_and_colours(store: DataStore, tmp_path: Path) -> None:
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], dtype=np.uint8)[MASKS]
    x = pixels(N, 8, 9)
    arrays = {"x_train": x[:14], "masks_train": colours[:14], "x_test": x[14:], "masks_test": colours[14:]}
    path = write_npz(tmp_path / "a.npz", **arrays)
    info = ingest("npz", path, name="sample", store=store)
    assert info.class_names == ("#000000", "#0000ff", "#ff0000")
    assert info.parts == {"train": (0, 14), "test": (14, 20)}
    assert (np.asarray(store.open("sample", seed=0).y) == np.array([0, 2, 1])[MASKS]).all()


def test_labels_win_over_masks_unless_asked(store: DataStore, tmp_path: Path) -> None:
    both: dict[str, Any] = {"y": np.arange(N) % 2, "mask": MASKS}
    assert read(store, tmp_path, **both).problem == "classification"
    path = tmp_path / "a.npz"
    assert ingest("npz", path, name="other", store=store, problem="segmentation").problem == "segmentation"


def test_matlabs_masks_along_the_last_axis(store: DataStore, tmp_path: Path) -> None:
    import scipy.io

    x = pixels(N, 8, 9, 3)
    arrays = {"X": np.moveaxis(x, 0, -1), "masks": np.moveaxis(MASKS, 0, -1)}
    scipy.io.savemat(tmp_path / "a.mat", arrays)
    info = ingest("mat", tmp_path / "a.mat", name="sample", store=store)
    opened = store.open("sample", seed=0)
    assert info.input_shape == (3, 8, 9)
    assert (np.asarray(opened.y) == MASKS).all()
    assert (np.asarray(opened.x) == np.moveaxis(x, -1, 1)).all()


BAD: dict[str, tuple[dict[str, Any], str | None, str, str]] = {
    "another size": ({"masks": MASKS[:, :7]}, None, "mask_invalid", "are 7×9, the pictures x 8×9"),
    "another number": ({"masks": MASKS[:9]}, None, "length_mismatch", "holds 9 labels"),
    "shares": ({"masks": MASKS / 255}, None, "mask_invalid", "divided by 255"),
    "no number": ({"masks": np.where(MASKS == 1, np.nan, MASKS)}, None, "values_not_finite", "leave these out"),
    "one class": ({"masks": MASKS * 0}, None, "too_few_classes", "at least 2"),
    "labels as masks": ({"y": np.arange(N) % 3}, "segmentation", "mask_invalid", "masks are (N, H, W)"),
    "masks as targets": ({"y": MASKS}, "regression", "shape_invalid", "targets are (N,)"),
    "masks as classes": ({"y": MASKS}, "classification", "labels_invalid", "one class a sample"),
    "masks of volumes": (
        {"x": pixels(N, 1, 8, 8, 8), "masks": MASKS[:, :8, :8]}, None, "mask_invalid", "masks of volumes"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_masks_that_are_refused(store: DataStore, tmp_path: Path, case: str) -> None:
    arrays, problem, rule, text = BAD[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, problem, **arrays)
    assert rules(caught) == {rule}
    assert text in caught.value.faults[0].detail
