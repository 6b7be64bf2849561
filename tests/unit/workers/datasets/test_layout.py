"""What folders say about classes and splits, without any pictures."""

from collections import Counter

import pytest

from archsmith.errors import InvalidDataset
from workers.datasets.layout import Layout, read_layout, split_of


def paths(*folders: str, each: int = 3) -> list[tuple[str, ...]]:
    """`each` files in every folder; a name with a dot is one file."""
    return [
        tuple(path.split("/"))
        for folder in folders
        for path in ([folder] if "." in folder else [f"{folder}/{number}.png" for number in range(each)])
    ]


def counts(layout: Layout) -> dict[tuple[str, str], int]:
    return dict(Counter((p.part, p.label) for p in layout.placed))


TWO = {("train", "cat"): 3, ("train", "dog"): 3}
BOTH = {**TWO, ("test", "cat"): 3, ("test", "dog"): 3}
READ = {
    "class folders": (paths("cat", "dog"), TWO),
    "below others": (paths("a/b/cat", "a/b/dog"), TWO),
    "splits": (paths("train/cat", "train/dog", "test/cat", "test/dog"), BOTH),
    "in any case": (paths("Training/cat", "Training/dog", "TEST/cat", "TEST/dog"), BOTH),
    "with other words": (paths("training_set/cat", "training_set/dog", "test_set/cat", "test_set/dog"), BOTH),
    "with a common word": (paths("pets_train/cat", "pets_train/dog", "pets-test/cat", "pets-test/dog"), BOTH),
    "joined": (paths("trainset/cat", "trainset/dog", "testset/cat", "testset/dog"), BOTH),
    "doubled": (paths("seg_train/seg_train/cat", "seg_train/seg_train/dog", "seg_test/seg_test/cat",
                      "seg_test/seg_test/dog"), BOTH),
    "with images between": (paths("train/images/cat", "train/images/dog", "test/images/cat", "test/images/dog"), BOTH),
    "inside of classes": (paths("cat/train", "cat/test", "dog/train", "dog/test"), BOTH),
    "deeper in a class": (paths("cat/one", "dog"), TWO),
    "one folder below each class": (paths("cat/images", "dog/images"), TWO),
    "unlabelled test": (paths("train/cat", "train/dog", "test"), TWO),
    "unlabelled test1": (paths("train/cat", "train/dog", "test1/test1"), TWO),
    "unlabelled prediction": (paths("seg_train/seg_train/cat", "seg_train/seg_train/dog", "seg_pred/seg_pred"), TWO),
    "test of unknown class": (paths("train/cat", "train/dog", "test/unknown"), TWO),
    "a class of railways": (paths("train", "bus"), {("train", "train"): 3, ("train", "bus"): 3}),
    "valid and invalid": (paths("valid", "invalid"), {("train", "valid"): 3, ("train", "invalid"): 3}),
    "words with a split in it": (
        paths("test_positive", "test_negative"), {("train", "test_positive"): 3, ("train", "test_negative"): 3}),
}  # fmt: skip
TOLD = {
    "deeper in a class": "cat/one",
    "one folder below each class": "cat/images",
    "unlabelled test": "folder test has no class folders: its 3 pictures",
    "unlabelled test1": "folder test1",
    "unlabelled prediction": "folder seg_pred",
    "test of unknown class": "folder test",
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name: str) -> None:
    given, wanted = READ[name]
    layout = read_layout(given)
    assert counts(layout) == wanted
    assert len(layout.placed) + len(layout.left_out) == len(given)
    assert [TOLD[name] in text for text in layout.warnings] == ([True] if name in TOLD else [])


REFUSED = {
    "no folders": (paths("a.png", "b.png"), "layout_invalid", ["a.png", "b.png"]),
    "one class": (paths("cat"), "too_few_classes", ["cat"]),
    "splits without classes": (paths("train", "test"), "layout_invalid", ["test", "train"]),
    "a split without classes": (paths("train", "pred"), "layout_invalid", ["train"]),
    "one class to train on": (paths("train/cat", "test/cat", "test/dog"), "too_few_classes", ["cat"]),
    "nothing to train on": (paths("val/cat", "val/dog", "test/cat", "test/dog"), "layout_invalid", []),
    "strays on top": (paths("x/cat", "x/dog", "x/a.png", "b.png"), "layout_invalid", ["b.png", "x/a.png"]),
    "strays in a split": (
        paths("train/cat", "train/dog", "train/a.png", "test/cat", "test/dog"), "layout_invalid", ["train/a.png"]),
    "unknown split": (paths("train/cat", "train/dog", "holdout/cat", "holdout/dog"), "layout_invalid", ["holdout"]),
    "two levels of classes": (paths("2020/cat", "2020/dog", "2021/cat", "2021/dog"), "layout_ambiguous", ["2020"]),
    "masks": (paths("images", "masks"), "task_unsupported", ["images"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    given, rule, blamed = REFUSED[name]
    with pytest.raises(InvalidDataset) as caught:
        read_layout(given)
    faults = caught.value.faults
    assert {fault.rule for fault in faults} == {rule}
    found = [fault.pointer.removeprefix("/files/").replace("~1", "/") for fault in faults if fault.pointer]
    assert sorted(found) == blamed


def test_classes_that_differ_in_case_are_two_and_told() -> None:
    layout = read_layout(paths("Cat", "cat"))
    assert counts(layout) == {("train", "Cat"): 3, ("train", "cat"): 3}
    assert layout.warnings == ("classes that differ only in upper and lower case are kept apart: Cat, cat",)


@pytest.mark.parametrize(("name", "part"), [
    ("TRAIN", "train"), ("Validation", "val"), ("dev", "val"), ("test1", "test"), ("eval", "test"),
    ("retrain", None), ("trains", None), ("train_test", None), ("", None), ("cat", None),
])  # fmt: skip
def test_names_of_splits(name: str, part: str | None) -> None:
    assert split_of(name) == part
