"""Series: which axes are what, where they are asked for and where not, and tables of a series a line."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archsmith import formats
from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import rules
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.axes import as_samples
from workers.datasets.ingest import ingest
from workers.datasets.series_table import rows

COUNT, STEPS = 24, 30
X: npt.NDArray[Any] = np.random.default_rng(0).standard_normal((COUNT, STEPS)).round(3)
Y = np.arange(COUNT) % 3


def array(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("shape", "asked", "read", "says"),
    [
        ((9, 50), "series", (9, 1, 50), ""),
        ((9, 4, 50), "series", (9, 4, 50), ""),
        ((9, 128, 6), "series", (9, 6, 128), "128 steps with 6 channels, the last axis"),
        ((9, 100, 50), "series", (9, 100, 50), "if the steps come first, exchange the axes"),
        ((9, 28, 28), "series", (9, 28, 28), ""),
        ((9, 1, 96), None, (9, 1, 96), "series 1×96, channels by steps"),
        ((9, 3, 1000), None, (9, 3, 1000), "series 3×1000"),
        ((9, 1000, 3), None, (9, 3, 1000), "the last axis"),
        ((9, 28, 28), None, (9, 1, 28, 28), ""),
        ((9, 1, 1), None, (9, 1, 1, 1), ""),
        ((9, 6, 128), None, (9, 1, 6, 128), "if it holds series, upload it with --kind series"),
        ((9, 6, 128), "image", (9, 1, 6, 128), ""),
    ],
)
def test_which_axes_are_channels_and_steps(
    shape: tuple[int, ...], asked: str | None, read: tuple[int, ...], says: str
) -> None:
    found, said = as_samples(array(*shape), file="x", asked=asked)
    assert found.shape == read
    assert (says in " ".join(said)) if says else not said


@pytest.mark.parametrize(
    ("shape", "asked", "says"),
    [
        ((9, 50), None, "If each row is a series of steps, upload it with --kind series"),
        ((9, 20, 600), None, "if it holds series, upload it with --kind series"),
        ((9, 8, 8, 1), "series", "Remove axes of 1"),
        ((9, 1, 65_537), "series", "cut long ones into pieces"),
        ((9, 40, 1), "series", ""),
        ((9, 28, 28), "volume", "holds no volumes"),
        ((9, 20, 20, 20), "image", "holds no images"),
    ],
)
def test_what_is_refused_and_the_cure(shape: tuple[int, ...], asked: str | None, says: str) -> None:
    if shape == (9, 40, 1):  # a series of 40 steps in the order of Keras
        assert as_samples(array(*shape), file="x", asked=asked)[0].shape == (9, 1, 40)
        return
    with pytest.raises(InvalidDataset) as refused:
        as_samples(array(*shape), file="x", asked=asked)
    assert says in str(refused.value.faults[0].detail)


def text(x: npt.NDArray[Any] = X, labels: Sequence[Any] = tuple(Y), *, last: bool = False, mark: str = ",") -> str:
    lines = []
    for row, label in zip(x, labels, strict=True):
        cells = [f"{value:g}" for value in row]
        lines.append(mark.join([*cells, str(label)] if last else [str(label), *cells]))
    return "\n".join(lines) + "\n"


NAMES = ",".join(f"t{number}" for number in range(STEPS))


def read(folder: Path, **files: str) -> DatasetInfo:
    paths = []
    for name, content in files.items():
        paths.append(folder / name.replace("__", "."))
        paths[-1].write_text(content)
    kind = formats.guess(paths)
    assert kind == "table"
    return ingest(kind, paths, name="sample", store=DataStore(folder / "store"), kind="series")


def stored(folder: Path) -> npt.NDArray[Any]:
    return np.asarray(DataStore(folder / "store").open("sample", seed=0).x)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a__csv", f"label,{NAMES}\n{text()}", ""),
        ("a__csv", text(), "its first column is taken for the label"),
        ("a__csv", text(labels=[f"{label:.1f}" for label in Y], last=True), "its last column"),
        ("a__tsv", text(mark="\t"), "its first column"),
        ("a__csv", ",".join(map(str, range(STEPS + 1))) + "\n" + text(), "its first column"),
        ("a__csv", f"{','.join(reversed(NAMES.split(',')))},y\n{text(X[:, ::-1], last=True)}", ""),
    ],
    ids=["names", "without names", "label last, as floats", "tabs", "numbers for names", "steps backwards"],
)
def test_a_table_of_a_series_a_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    info = read(tmp_path, **{name: content})
    assert (info.kind, info.tasks, info.input_shape) == ("series", ("series",), (1, STEPS))
    assert info.class_names == ("0", "1", "2")
    assert says in " ".join(info.report["warnings"])
    np.testing.assert_allclose(stored(tmp_path)[:, 0], X, rtol=1e-5)


@pytest.mark.heavy
def test_other_columns_are_told_and_files_and_a_column_give_the_split(tmp_path: Path) -> None:
    lines = [f"s{number},{line}" for number, line in enumerate(text(labels=["up", "down", "flat"] * 8).splitlines())]
    info = read(tmp_path, a__csv=f"id,label,{NAMES}\n" + "\n".join(lines))
    assert info.class_names == ("down", "flat", "up")
    assert "no steps are left out: id" in " ".join(info.report["warnings"])
    (tmp_path / "parts").mkdir()
    info = read(tmp_path / "parts", X_TRAIN__tsv=text(mark="\t"), X_TEST__tsv=text(-X, mark="\t"))
    assert {part: tuple(ends) for part, ends in info.parts.items()} == {"train": (0, COUNT), "test": (COUNT, 2 * COUNT)}


@pytest.mark.heavy
def test_the_archive_of_ucr_has_the_label_first_whatever_stands_last(tmp_path: Path) -> None:
    x = X.round()
    info = read(tmp_path, X_TRAIN__tsv=text(x, mark="\t"), X_TEST__tsv=text(x + 1, mark="\t"))
    assert (info.class_names, info.input_shape) == (("0", "1", "2"), (1, STEPS))
    np.testing.assert_array_equal(stored(tmp_path)[:COUNT, 0], x)


@pytest.mark.heavy
def test_an_archive_of_tables(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "X.zip", "w") as archive:
        archive.writestr("X/X_TRAIN.tsv", text(mark="\t"))
        archive.writestr("X/README.md", "about")
    store = DataStore(tmp_path / "store")
    info = ingest("table", [tmp_path / "X.zip"], name="sample", store=store, kind="series")
    assert (info.input_shape, info.report["ignored_files"]) == ((1, STEPS), ["X/README.md"])


HOLED = X.copy()
HOLED[3, 4] = np.nan


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("content", "rule", "says"),
    [
        (text(X.round()), "table_invalid", "could be labels; write a first line of names"),
        (f"name,{NAMES}\n{text()}", "table_invalid", "no column of labels"),
        ("y," + ",".join([f"a{i}" for i in range(15)] + [f"b{i}" for i in range(15)]) + f"\n{text()}",
         "table_invalid", "several channels"),
        (f"label,{NAMES}\n{text(HOLED)}", "values_not_finite", "in series 4"),
        (f"label,{NAMES}\n{text()}1,2\n", "table_invalid", "one length"),
        ("label\n1\n", "table_invalid", "1 columns"),
        ("", "file_empty", "first line"),
    ],
    ids=["two ends", "no labels", "channels", "gap", "short line", "one column", "empty"],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path: Path, content: str, rule: str, says: str) -> None:
    with pytest.raises(InvalidDataset) as refused:
        read(tmp_path, a__csv=content)
    assert rules(refused) == {rule}
    assert says in refused.value.faults[0].detail


@pytest.mark.heavy
def test_series_to_predict_need_no_labels(tmp_path: Path) -> None:
    for content in (text(), "\n".join(line.split(",", 1)[1] for line in text().splitlines()), f"{NAMES}\n" + "\n".join(
        line.split(",", 1)[1] for line in text().splitlines()
    )):  # fmt: skip
        (tmp_path / "a.csv").write_text(content)
        place = tmp_path / str(len(content))
        place.mkdir()
        np.testing.assert_allclose(rows(tmp_path / "a.csv", steps=STEPS, scratch=place)[:, 0], X, rtol=1e-5)
    with pytest.raises(InvalidDataset, match="30 steps, 20 are wanted"):
        rows(tmp_path / "a.csv", steps=20, scratch=tmp_path)


@pytest.mark.heavy
def test_arrays_of_series_and_formats_that_hold_none(tmp_path: Path) -> None:
    store = DataStore(tmp_path / "store")
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    info = ingest("npz", tmp_path / "a.npz", name="a", store=store, kind="series")
    assert (info.kind, info.input_shape, info.dtype) == ("series", (1, STEPS), "float32")
    dataset = store.open("a", seed=0)
    assert (len(dataset.mean), dataset.task) == (1, "series")
    assert dataset.mean[0] == pytest.approx(float(X[dataset.splits.search_train].mean()), abs=1e-6)
    with pytest.raises(InvalidDataset, match="takes no kind"):
        ingest("images", tmp_path / "a.npz", name="b", store=store, kind="series")
    with pytest.raises(InvalidDataset, match="not volumes"):
        ingest("table", [tmp_path / "a.npz"], name="b", store=store, kind="volume")
    np.savez(tmp_path / "g.npz", x=X, edges=np.array([[0, 1], [1, 2]]), y=Y)
    with pytest.raises(InvalidDataset, match="holds edges"):
        ingest("npz", tmp_path / "g.npz", name="b", store=store, kind="series")
