"""Pictures with numbers or several labels in a table beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import class_folders, picture, rules, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest

COUNT = 20
VALUES = [round(0.7 * number - 3.3, 2) for number in range(COUNT)]


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def flat() -> dict[str, bytes]:
    return {f"images/p{number:02}.png": picture(number) for number in range(COUNT)}


def table(head: str, *cells: Any) -> bytes:
    """cells: a list for each column behind that of the files."""
    rows = [",".join([f"p{n:02}.png", *(str(column[n]) for column in cells)]) for n in range(len(cells[0]))]
    return "\n".join([head, *rows]).encode()


def read(store: DataStore, folder: Path, content: bytes, problem: str | None = None, **more: bytes) -> DatasetInfo:
    path = write_zip(folder / "a.zip", {**flat(), "labels.csv": content, **more})
    return ingest("images", path, name="sample", store=store, problem=problem)


MARKS: list[list[int]] = [[n % 2 for n in range(COUNT)], [int(n % 3 == 0) for n in range(COUNT)]]
WORDS = [";".join(word for word, on in zip("ab", row, strict=True) if on) for row in zip(*MARKS, strict=True)]
NUMBERS: dict[str, tuple[bytes, str | None, tuple[str, ...], Any]] = {
    "decimals": (table("file,label", VALUES), None, ("label",), VALUES),
    "the only other column": (table("file,age", VALUES), None, ("age",), VALUES),
    "whole numbers": (table("file,age", range(COUNT)), "regression", ("age",), range(COUNT)),
    "several columns": (table("file,x,y,word", VALUES, range(COUNT), ["w"] * COUNT), "regression", ("x", "y"), None),
    "several columns of numbers": (table("id,u,v", VALUES, range(COUNT)), None, ("u", "v"), None),
    "decimal commas": (table("file,age", VALUES).replace(b",", b";").replace(b".", b",").replace(b",png", b".png"),
                       None, ("age",), VALUES),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_of_a_table(store: DataStore, tmp_path: Path, case: str) -> None:
    content, problem, names, values = NUMBERS[case]
    info = read(store, tmp_path, content, problem)
    assert (info.problem, info.class_names, info.counts) == ("regression", names, (COUNT,) * len(names))
    wanted = np.array([VALUES, range(COUNT)]).T if values is None else np.array(values)[:, None]
    assert np.allclose(store.open("sample", seed=0).y, wanted, atol=1e-6)
    told = any("read as regression; --problem says otherwise" in text for text in info.report["warnings"])
    assert told == (problem is None)


LABELS: dict[str, tuple[bytes, str | None]] = {
    "columns": (table("file,a,b", *[[int(on) for on in column] for column in MARKS]), None),
    "columns, asked": (table("file,a,b,note", *[[int(on) for on in c] for c in MARKS], ["n"] * COUNT), "multilabel"),
    "signs": (table("file,a,b", *[[2 * int(on) - 1 for on in column] for column in MARKS]), None),
    "semicolons": (table("file,labels", WORDS), None),
    "bars": (table("file,labels", [word.replace(";", "|") for word in WORDS]), None),
    "blanks": (table("file,tags", [word.replace(";", " ") for word in WORDS]), "multilabel"),
}


@pytest.mark.parametrize("case", LABELS)
def test_several_labels_of_a_table(store: DataStore, tmp_path: Path, case: str) -> None:
    content, problem = LABELS[case]
    info = read(store, tmp_path, content, problem)
    assert (info.problem, info.class_names) == ("multilabel", ("a", "b"))
    assert store.open("sample", seed=0).y.tolist() == [list(map(int, row)) for row in zip(*MARKS, strict=True)]


def test_blanks_in_names_of_classes_are_told_where_they_may_be_labels(store: DataStore, tmp_path: Path) -> None:
    words = ["haze", "haze road", "road", "road cloud"] * 5
    info = read(store, tmp_path, table("file,label", words))
    assert info.class_names == ("haze", "haze road", "road", "road cloud")
    assert any("--problem multilabel" in text for text in info.report["warnings"])
    honest = ["golden retriever", "black cat", "grey cat"] * 6 + ["black cat"] * 2
    info = ingest(
        "images", write_zip(tmp_path / "b.zip", {**flat(), "labels.csv": table("file,label", honest)}),
        name="honest", store=store,
    )  # fmt: skip
    assert not any("multilabel" in text for text in info.report["warnings"])


def test_ordered_classes_of_tables_and_folders(store: DataStore, tmp_path: Path) -> None:
    grades = [(10, 2, 9)[number % 3] for number in range(COUNT)]
    info = read(store, tmp_path, table("file,grade", grades), "ordinal")
    assert (info.problem, info.class_names) == ("ordinal", ("2", "9", "10"))
    members = {f"{grade}_x/{n}.png": picture(n + 100 * grade) for grade in (10, 9, 2) for n in range(6)}
    path = write_zip(tmp_path / "b.zip", members)
    info = ingest("images", path, name="folders", store=store, problem="ordinal")
    assert info.class_names == ("2_x", "9_x", "10_x")


def test_a_split_and_groups_hold_for_numbers(store: DataStore, tmp_path: Path) -> None:
    parts = ["train"] * 14 + ["test"] * 6
    info = read(store, tmp_path, table("file,age,split", VALUES, parts))
    assert info.parts == {"train": (0, 14), "test": (14, 20)}
    people = [f"p{number // 2}" for number in range(COUNT)]
    path = write_zip(tmp_path / "b.zip", {**flat(), "labels.csv": table("file,age,patient", VALUES, people)})
    info = ingest("images", path, name="groups", store=store)
    assert info.report["groups"]["count"] == 10


BAD: dict[str, tuple[bytes, str | None, str, str]] = {
    "an empty cell": (table("file,age", ["", *VALUES[1:]]), None, "values_not_finite", "one row: 2"),
    "NaN": (table("file,age", [*VALUES[:-1], "nan"]), "regression", "values_not_finite", "one row: 21"),
    "a constant": (table("file,age", [0.5] * COUNT), None, "targets_flat", "age is 0.5"),
    "words as numbers": (table("file,label", ["cat", "dog"] * 10), "regression", "problem_unsuitable", "'cat'"),
    "numbers as classes": (table("file,label", VALUES), "classification", "label_not_class", "--problem regression"),
    "no table": (b"", "regression", "problem_unsuitable", "labels.csv"),
    "two answers for one": (
        table("file,age", VALUES) + b"\np00.png,9.25", None, "table_invalid", "listed twice"),
    "no order": (table("file,label", ["low", "high"] * 10), "ordinal", "problem_unsuitable", "1_low"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_tables_that_are_refused(store: DataStore, tmp_path: Path, case: str) -> None:
    content, problem, rule, text = BAD[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, content, problem)
    assert rules(caught) == {rule}
    assert any(text in fault.detail for fault in caught.value.faults)


def test_class_folders_and_a_table_of_other_answers(store: DataStore, tmp_path: Path) -> None:
    scores = [f"class{label}/{n}.png,{n + label / 3}" for label in range(2) for n in range(6)]
    members = {**class_folders(), "scores.csv": "\n".join(["file,score", *scores]).encode()}
    path = write_zip(tmp_path / "a.zip", members)
    with pytest.raises(InvalidDataset, match="--problem classification reads the folders"):
        ingest("images", path, name="sample", store=store)
    assert ingest("images", path, name="folders", store=store, problem="classification").problem == "classification"
    assert ingest("images", path, name="table", store=store, problem="regression").class_names == ("score",)
    sizes = [f"class{label}/{n}.png,{n},{n + 0.5}" for label in range(2) for n in range(6)]
    path = write_zip(
        tmp_path / "b.zip", {**class_folders(), "sizes.csv": "\n".join(["file,width,weight", *sizes]).encode()}
    )
    assert ingest("images", path, name="sizes", store=store).class_names == ("class0", "class1")
