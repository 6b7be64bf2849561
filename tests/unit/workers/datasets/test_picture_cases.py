"""Archives of pictures as people have them: each is read right, or refused with the true reason."""

import io
from pathlib import Path

import pytest
from PIL import Image

from archsmith.errors import InvalidDataset
from tests.cases import case
from tests.unit.workers.sources import class_folders, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest

READ = {  # name: classes, pictures of each, and a word of a warning
    "all_1x1000": (("cat", "dog"), (10, 10), "padded with black"),
    "backslash": (("cat", "dog"), (10, 10), ""),
    "dup_across": (("cat", "dog"), (13, 13), "repeats"),
    "gbk_names": (("小鸟", "猫犬"), (8, 8), "read as gbk, which is a guess"),
    "gif_one_among": (("cat", "dog"), (11, 10), "cat/anim.gif"),
    "labels_csv_flat": (("cat", "dog"), (10, 10), "classes are those of labels.csv"),
    "mac": (("cat", "dog"), (10, 10), ""),
    "nfd_nfc": (("Müller", "dog"), (11, 11), ""),
    "no_ext": (("cat", "dog"), (10, 10), ""),
    "one_image_class": (("cat", "dog", "rare"), (10, 10, 1), "class rare has 1 picture"),
    "r_ipynb_root": (("cat", "dog"), (10, 10), ""),
    "r_jfif": (("cat", "dog"), (10, 10), ""),
    "r_png12bit": (("ill", "well"), (20, 20), "levels are kept"),
    "splits_validation": (("cat", "dog"), (17, 17), ""),
    "t_case_ext": (("a", "b"), (12, 6), ""),
    "t_seg_train": (("sea", "wood"), (14, 14), ""),
    "trunc_jpeg": (("cat", "dog"), (10, 10), "left out: cat/cut.jpg is damaged"),
}
REFUSED = {  # name: rule, what is at fault, a word of the reason
    "niftis": ("format_mismatch", "ad/0.nii.gz", "NIfTI volume"),
    "r_kaggle_flat_split": ("layout_invalid", "train", "hold no class folders"),
    "t_readme_pic": ("layout_invalid", "ds/overview.png", "does not lie in a class folder"),
    "u_one_class_train": ("too_few_classes", "a", "to train on"),
    "yolo": ("task_unsupported", "labels/train/0.txt", "object detection"),
}


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, name: str) -> DatasetInfo:
    return ingest("images", case(f"{name}.zip"), name="sample", store=store)


@pytest.mark.parametrize("name", READ)
def test_what_is_read(store: DataStore, name: str) -> None:
    classes, counts, warning = READ[name]
    info = read(store, name)
    assert (info.class_names, info.counts) == (classes, counts)
    told = [text for text in info.report["warnings"] if warning in text]
    assert told if warning else not info.report["warnings"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(store: DataStore, name: str) -> None:
    rule, blamed, reason = REFUSED[name]
    with pytest.raises(InvalidDataset) as caught:
        read(store, name)
    assert rule in {fault.rule for fault in caught.value.faults}
    assert any(fault.pointer == "/files/" + blamed.replace("/", "~1") for fault in caught.value.faults)
    assert all(reason in fault.detail for fault in caught.value.faults)


def test_pictures_of_12_bits_stay_100_levels_apart(store: DataStore) -> None:
    read(store, "r_png12bit")
    opened = store.open("sample", seed=0)
    means = [float(opened.x[opened.y == label].mean()) for label in (0, 1)]
    assert means[1] - means[0] == pytest.approx(100, abs=2)


def test_splits_in_folders_of_other_names_are_kept(store: DataStore) -> None:
    info = read(store, "splits_validation")
    assert info.parts == {"train": (0, 20), "val": (20, 26), "test": (26, 34)}


def test_doubled_folders_of_splits_are_kept(store: DataStore) -> None:
    assert read(store, "t_seg_train").parts == {"train": (0, 20), "test": (20, 28)}


def test_equal_names_in_two_forms_of_unicode_are_one_class(store: DataStore) -> None:
    assert read(store, "nfd_nfc").parts == {"train": (0, 16), "test": (16, 22)}


def test_the_same_fault_of_many_files_is_told_once(tmp_path: Path, store: DataStore) -> None:
    good = class_folders(each=6)
    broken = {f"class0/broken{n}.png": b"no picture" for n in range(9)}
    with pytest.raises(InvalidDataset) as caught:
        ingest("images", write_zip(tmp_path / "a.zip", good | broken), name="a", store=store)
    [fault] = caught.value.faults
    names = "class0/broken0.png, class0/broken1.png, class0/broken2.png"
    assert fault.detail.startswith(f"9 files, as {names}: each is not a picture by its content")
    assert fault.pointer == "/files/class0~1broken0.png"
    two = dict(list(broken.items())[:2])
    info = ingest("images", write_zip(tmp_path / "b.zip", good | two), name="b", store=store)
    assert [text for text in info.report["warnings"] if text.startswith("left out: class0/broken")]
    assert len(info.report["corrupt_files"]) == 2


def test_pictures_of_other_sizes_are_said_to_be_scaled(tmp_path: Path, store: DataStore) -> None:
    members = {}
    for n in range(24):
        out = io.BytesIO()
        Image.new("RGB", (20 + n, 10 + n), (9 * n, 0, 0)).save(out, "PNG")
        members[f"c{n % 2}/{n}.png"] = out.getvalue()
    info = ingest("images", write_zip(tmp_path / "a.zip", members), name="a", store=store, image_size=16)
    assert info.report["scaled"] == "24 pictures of 20 x 10 to 43 x 33 pixels are scaled to 16 x 16 (auto)"
    same = ingest("images", write_zip(tmp_path / "b.zip", class_folders(each=6, size=(9, 9))), name="b", store=store)
    assert "scaled" not in same.report
