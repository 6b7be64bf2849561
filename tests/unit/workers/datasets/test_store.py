"""Every format through the conformance suite; the store under damage, races and small data."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

from archsmith.errors import AlreadyExists, InvalidDataset
from tests.conformance.datasets import DatasetConformance
from tests.unit.workers.sources import class_folders, labels, pixels, rules, write_idx, write_npz, write_zip
from workers.datasets import DataStore, digits, idx, images, npz, store
from workers.datasets.raw import RawDataset
from workers.datasets.splits import make_splits


def small(count: int = 40, classes: int = 4, *, dtype: type[np.generic] = np.uint8) -> RawDataset:
    y = labels(count, classes).astype(np.int64)
    names = tuple("abcdefgh"[:classes])
    x = pixels(count, 1, 4, 4).astype(dtype)
    return RawDataset(
        format="npz", pieces=(x,), dtype=np.dtype(dtype), y=y, class_names=names, parts={"train": (0, count)}
    )


class TestDigits(DatasetConformance):
    @pytest.fixture
    def raw(self) -> RawDataset:
        return digits.read()


class TestIdx(DatasetConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawDataset:
        (tmp_path / "scratch").mkdir()
        return idx.read([write_idx(tmp_path / "source")], scratch=tmp_path / "scratch")


class TestNpz(DatasetConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawDataset:
        (tmp_path / "scratch").mkdir()
        x, y = pixels(90, 5, 5, 3), labels(90)
        path = write_npz(
            tmp_path / "parts.npz", train_images=x[:50], train_labels=y[:50, None], val_images=x[50:70],
            val_labels=y[50:70], test_images=x[70:], test_labels=y[70:],
        )  # fmt: skip
        found = npz.read(path, scratch=tmp_path / "scratch")
        assert isinstance(found, RawDataset)
        return found


class TestVolumes(DatasetConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawDataset:
        (tmp_path / "scratch").mkdir()
        path = write_npz(tmp_path / "volumes.npz", x=pixels(60, 1, 5, 6, 7), y=labels(60))
        found = npz.read(path, scratch=tmp_path / "scratch")
        assert isinstance(found, RawDataset)
        return found


class TestFloats(DatasetConformance):
    @pytest.fixture
    def raw(self) -> RawDataset:
        return small(60, dtype=np.float32)


class TestImages(DatasetConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawDataset:
        (tmp_path / "scratch").mkdir()
        path = write_zip(tmp_path / "pictures.zip", class_folders(classes=3, each=8))
        return images.read(path, scratch=tmp_path / "scratch")


def test_the_built_in_data_set_is_there_without_a_network(tmp_path: Path) -> None:
    place = DataStore(tmp_path / "new")
    assert place.names() == ["digits"]
    info = place.describe("digits")
    assert (info.input_shape, info.classes, sum(info.counts)) == ((1, 8, 8), 10, 1797)
    # Computed from `sklearn.datasets.load_digits()`, whose table is read here without importing scikit-learn.
    assert info.sha256 == "6bd8a4c53930fa6a5ae63f97a4ce59ffc5dfd457c38baf533ea0a97bf363c86c"
    assert 0.15 <= info.test / 1797 <= 0.20
    with pytest.raises(AlreadyExists):
        place.add("digits", small())


def test_many_processes_may_ask_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda seed: DataStore(tmp_path).open("digits", seed=seed % 2), range(8)))
    assert len({o.sha256 for o in opened}) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]
    assert not [p for p in (tmp_path / "digits").iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "other"])
def test_damaged_splits_are_made_again_the_same(tmp_path: Path, damage: str) -> None:
    place = DataStore(tmp_path)
    place.add("small", small())
    before = place.open("small", seed=5)
    path = tmp_path / "small" / "splits-5.npz"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 0xFF
    path.write_bytes(
        {"torn": content[:200], "flipped": content, "empty": bytearray(), "other": bytearray(b"hello")}[damage]
    )
    after = place.open("small", seed=5)
    assert (after.split_hashes, after.mean, after.std) == (before.split_hashes, before.mean, before.std)


class _Stops(RawDataset):
    """A source that fails in the middle, as a full disk does."""

    def batches(self) -> Iterator[np.ndarray]:
        yield np.zeros((1, 1, 4, 4), np.uint8)
        raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    whole = small()
    broken = _Stops(
        format="npz",
        pieces=whole.pieces,
        dtype=whole.dtype,
        y=whole.y,
        class_names=whole.class_names,
        parts=whole.parts,
    )
    with pytest.raises(OSError, match="No space"):
        DataStore(tmp_path).add("small", broken)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_not_listed_and_is_swept(tmp_path: Path) -> None:
    left = tmp_path / ".abc-incoming"
    left.mkdir()
    (left / "x.npy").write_bytes(b"half")
    place = DataStore(tmp_path)
    assert place.names() == ["digits"]
    place.sweep()
    assert left.exists(), "it may still be written to"
    place.sweep(older_than_s=-1)
    assert not left.exists()


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../x", "a b", "é", "x" * 65, "a\n"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidDataset) as caught:
        DataStore(tmp_path).add(name, small())
    assert caught.value.faults[0].pointer == "/name"


def test_small_classes_keep_a_training_sample() -> None:
    y = np.array([0] * 20 + [1] * 3 + [2] * 2 + [3], dtype=np.int64)
    splits = make_splits(y, {"train": (0, len(y))}, seed=0)
    rows = {name: y[getattr(splits, name)].tolist() for name in ("search_train", "search_val", "test")}
    assert set(rows["search_train"]) == {0, 1, 2, 3}
    assert rows["search_val"].count(1) == rows["test"].count(1) == rows["search_train"].count(1) == 1
    assert (rows["search_train"].count(2), rows["search_train"].count(3)) == (1, 1)


def test_shares_of_the_splits() -> None:
    y = labels(10_000, 10).astype(np.int64)
    splits = make_splits(y, {"train": (0, len(y))}, seed=1)
    assert (len(splits.test), len(splits.search_val), len(splits.search_train)) == (2000, 1200, 6800)


@pytest.mark.parametrize(
    ("counts", "rule"), [([10], "too_few_classes"), ([2, 1], "too_few_samples"), ([2, 2], "too_few_samples")]
)
def test_too_little_to_learn_from(tmp_path: Path, counts: list[int], rule: str) -> None:
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    raw = RawDataset(
        format="npz", pieces=(pixels(len(y), 1, 4, 4),), dtype=np.dtype(np.uint8), y=y,
        class_names=tuple(str(i) for i in range(len(counts))), parts={"train": (0, len(y))},
    )  # fmt: skip
    with pytest.raises(InvalidDataset) as caught:
        DataStore(tmp_path).add("little", raw)
    assert rules(caught) == {rule}
    assert list(tmp_path.iterdir()) == []


def test_repeats_across_splits_are_counted(tmp_path: Path) -> None:
    x = np.repeat(pixels(4, 1, 4, 4), 25, axis=0)
    y = np.repeat(np.arange(4), 25).astype(np.int64)
    parts = {"train": (0, 80), "test": (80, 100)}
    raw = RawDataset(format="npz", pieces=(x,), dtype=x.dtype, y=y, class_names=tuple("abcd"), parts=parts)
    report = DataStore(tmp_path).add("repeats", raw).report
    assert report["duplicates"]["items"] == 96
    assert report["duplicates"]["test_in_search_train"] == 20
    assert any("repeats" in warning for warning in report["warnings"])


def test_a_class_without_training_samples_is_a_warning(tmp_path: Path) -> None:
    y = np.array([0, 1] * 10 + [2] * 4, dtype=np.int64)
    raw = RawDataset(
        format="npz", pieces=(pixels(24, 1, 4, 4),), dtype=np.dtype(np.uint8), y=y, class_names=("a", "b", "c"),
        parts={"train": (0, 20), "test": (20, 24)},
    )  # fmt: skip
    assert DataStore(tmp_path).add("odd", raw).report["warnings"] == ["class c has no training samples"]


def test_the_data_sets_need_no_torch() -> None:
    code = "import sys, workers.datasets, workers.datasets.ingest; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def test_a_data_set_of_an_earlier_version_opens(tmp_path: Path) -> None:
    """It says nothing of kinds and tasks: it holds pictures."""
    place = DataStore(tmp_path)
    before = place.add("small", small())
    path = tmp_path / "small" / "meta.json"
    document = json.loads(path.read_text())
    del document["kind"], document["tasks"]
    path.write_text(json.dumps(document))
    assert place.describe("small") == before
    assert place.open("small", seed=0).task == "image"


def test_bounded_pieces_give_the_same_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DataStore(tmp_path / "a").add("small", small()).sha256
    monkeypatch.setattr("workers.datasets.raw.CHUNK_BYTES", 64)
    pieces = DataStore(tmp_path / "b").add("small", small()).sha256
    assert whole == pieces
    assert store.SCHEMA_VERSION == "1"
