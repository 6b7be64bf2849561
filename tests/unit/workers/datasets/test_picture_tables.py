"""Pictures whose classes, splits and groups a table names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import class_folders, picture, rules, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.group_splits import carve_groups
from workers.datasets.ingest import ingest

COUNT = 12


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def flat(folder: str = "images/") -> dict[str, bytes]:
    return {f"{folder}p{number:02}.png": picture(number) for number in range(COUNT)}


def table(*rows: str, head: str = "file,label") -> bytes:
    return "\n".join([head, *rows]).encode()


def classes(number: int) -> str:
    return "cat" if number % 2 else "dog"


def plain(ending: str = ".png") -> list[str]:
    return [f"p{number:02}{ending},{classes(number)}" for number in range(COUNT)]


def read(store: DataStore, tmp_path: Path, members: dict[str, bytes], **options: Any) -> DatasetInfo:
    return ingest("images", write_zip(tmp_path / "a.zip", members), name="sample", store=store, **options)


@pytest.mark.parametrize(("head", "ending", "folder", "name"), [
    ("file,label", ".png", "images/", "labels.csv"),
    ("file,label", ".png", "", "labels.csv"),
    ("id,breed", "", "train/", "labels.csv"),
    ("image_id,whatever", ".png", "all/", "train.csv"),
], ids=["below images", "flat", "without ending", "other words"])  # fmt: skip
def test_names_and_columns(tmp_path: Path, store: DataStore, head: str, ending: str, folder: str, name: str) -> None:
    info = read(store, tmp_path, {**flat(folder), name: table(*plain(ending), head=head)})
    assert (info.class_names, info.counts) == (("cat", "dog"), (6, 6))
    y = store.open("sample", seed=0).y
    assert y.tolist() == [0 if number % 2 else 1 for number in range(COUNT)]
    assert f"classes are those of {name}" in info.report["warnings"]


def test_semicolons_and_a_byte_order_mark(tmp_path: Path, store: DataStore) -> None:
    content = b"\xef\xbb\xbf" + table(*plain(), head="file,label").replace(b",", b";")
    assert read(store, tmp_path, {**flat(), "labels.csv": content}).counts == (6, 6)


def test_numbers_are_classes_by_value(tmp_path: Path, store: DataStore) -> None:
    rows = [f"p{number:02}.png,{(2, 10, 1)[number % 3]}.0" for number in range(COUNT)]
    assert read(store, tmp_path, {**flat(), "labels.csv": table(*rows)}).class_names == ("1", "2", "10")


def test_one_column_a_class(tmp_path: Path, store: DataStore) -> None:
    rows = [f"p{number:02},{number % 2},{1 - number % 2}" for number in range(COUNT)]
    info = read(store, tmp_path, {**flat(), "truth.csv": table(*rows, head="image,cat,dog")})
    assert (info.class_names, info.counts) == (("cat", "dog"), (6, 6))


def test_a_split_column(tmp_path: Path, store: DataStore) -> None:
    parts = ["Train"] * 6 + ["valid"] * 2 + ["TEST"] * 4
    rows = [f"{row},{part}" for row, part in zip(plain(), parts, strict=True)]
    info = read(store, tmp_path, {**flat(), "labels.csv": table(*rows, head="file,label,split")})
    assert info.parts == {"train": (0, 6), "val": (6, 8), "test": (8, 12)}


def test_kaggle_folders_with_a_table_of_the_training_pictures(tmp_path: Path, store: DataStore) -> None:
    members = {**flat("train/"), **{f"test/q{n}.png": picture(50 + n) for n in range(4)}}
    members["train.csv"] = table(*plain(""), head="id,label")
    members["sample_submission.csv"] = table(*(f"q{n},cat" for n in range(4)), head="id,label")
    info = read(store, tmp_path, members)
    assert sum(info.counts) == COUNT
    assert any("4 pictures without a class in train.csv are left out" in text for text in info.report["warnings"])


def test_splits_in_folders_hold_for_a_table(tmp_path: Path, store: DataStore) -> None:
    members = {f"{'train' if n < 8 else 'test'}/p{n:02}.png": picture(n) for n in range(COUNT)}
    info = read(store, tmp_path, {**members, "labels.csv": table(*plain())})
    assert info.parts == {"train": (0, 8), "test": (8, 12)}


def test_a_table_overrules_folders_that_say_something_else(tmp_path: Path, store: DataStore) -> None:
    members = {f"part{n // 6}/p{n:02}.png": picture(n) for n in range(COUNT)}
    assert read(store, tmp_path, {**members, "labels.csv": table(*plain())}).class_names == ("cat", "dog")


def test_class_folders_stay_where_a_table_says_the_same(tmp_path: Path, store: DataStore) -> None:
    rows = [f"class{label}/{n}.png,{label}" for label in range(2) for n in range(6)]
    info = read(store, tmp_path, {**class_folders(), "labels.csv": table(*rows)})
    assert (info.class_names, info.report["warnings"]) == (("class0", "class1"), [])


BAD = {
    "twice": (table(*plain(), "p00.png,cat"), "table_invalid"),
    "many absent": (table(*plain(), "x.png,cat", "y.png,cat", "z.png,cat"), "file_missing"),
    "an unknown split": (table(*(f"{r},fold1" for r in plain()), head="file,label,split"), "table_invalid"),
    "one class": (table(*(f"p{n:02},cat" for n in range(COUNT))), "too_few_classes"),
    "uneven": (table(*plain(), "p00.png"), "columns_invalid"),
    "two marks in each row": (table(*(f"p{n:02},1,1" for n in range(COUNT)), head="file,a,b"), "too_few_classes"),
    "no word for the class": (table(*(f"p{n:02},x,{n}" for n in range(COUNT)), head="file,a,b"), "table_invalid"),
    "latin 1": (table(*(f"p{n:02},f{n % 2}\xfc" for n in range(COUNT))).decode().encode("latin-1"), "text_invalid"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_blamed(tmp_path: Path, store: DataStore, case: str) -> None:
    content, rule = BAD[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, {**flat(), "labels.csv": content})
    assert rules(caught) == {rule}
    assert {fault.pointer for fault in caught.value.faults} == {"/files/labels.csv"}


def test_groups_of_a_column_never_cross_splits(tmp_path: Path, store: DataStore) -> None:
    rows = [f"{row},patient{n // 4}" for n, row in enumerate(f"p{n:02}.png,{classes(n)}" for n in range(COUNT))]
    members = {**flat(), "labels.csv": table(*rows, head="file,label,patient")}
    info = read(store, tmp_path, members)
    assert info.report["groups"] == {"by": "the column patient of labels.csv", "count": 3}
    for seed in range(5):
        splits = store.open("sample", seed=seed).splits
        found = [set((part // 4).tolist()) for part in (splits.search_train, splits.search_val, splits.test)]
        assert sorted(len(groups) for groups in found) == [1, 1, 1]
        assert len(set.union(*found)) == 3


def test_groups_of_file_names(tmp_path: Path, store: DataStore) -> None:
    members = {f"class{n % 2}/v{n // 6}_{n}.png": picture(n) for n in range(36)}
    info = read(store, tmp_path, members, group_by="_")
    assert info.report["groups"]["count"] == 6
    path = write_zip(tmp_path / "b.zip", members)
    with pytest.raises(InvalidDataset) as caught:
        ingest("images", path, name="other", store=store, group_by="#")
    assert caught.value.faults[0].pointer == "/group_by"


def test_a_given_split_that_divides_a_group_is_refused(tmp_path: Path, store: DataStore) -> None:
    rows = [f"{row},{'train' if n < 8 else 'test'},all" for n, row in enumerate(plain())]
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, {**flat(), "labels.csv": table(*rows, head="file,label,split,group")})
    assert rules(caught) == {"group_crosses_splits"}


def test_options_of_another_format_are_refused(tmp_path: Path, store: DataStore) -> None:
    with pytest.raises(InvalidDataset) as caught:
        ingest("npz", write_zip(tmp_path / "a.npz", flat()), name="sample", store=store, group_by="_")
    assert caught.value.faults[0].pointer == "/group_by"


@pytest.mark.parametrize("seed", range(4))
def test_held_out_groups_have_about_the_share_of_each_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 60, 600))
    y = rng.integers(0, 3, 600)
    left, out = carve_groups(np.arange(600), y, groups, share=0.2, seed=seed, number=1)
    assert not set(groups[left]) & set(groups[out])
    assert sorted([*left.tolist(), *out.tolist()]) == list(range(600))
    for label in range(3):
        assert abs((y[out] == label).mean() - (y == label).mean()) < 0.1
    assert 0.1 <= len(out) / 600 <= 0.3
