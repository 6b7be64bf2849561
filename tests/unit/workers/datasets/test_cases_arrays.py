"""The inputs of the folder of cases that are arrays or graphs: read right, or refused with the true reason."""

from pathlib import Path

import numpy as np
import pytest

from archsmith import formats
from archsmith.errors import InvalidDataset
from tests.cases import case
from tests.unit.workers.sources import rules
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def upload(store: DataStore, name: str, **options: bool) -> DatasetInfo:
    """As the command does: the format is guessed from the files."""
    source = case(name)
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    kind = formats.guess(files)
    assert kind is not None
    return ingest(kind, files, name="sample", store=store, **options)


def said(info: DatasetInfo, text: str) -> bool:
    return any(text in warning for warning in info.report["warnings"])


def test_emnist_letters_has_26_classes_and_is_told_to_lie_on_its_side(tmp_path: Path) -> None:
    lying = upload(DataStore(tmp_path / "lying"), "emnist_letters")
    assert lying.class_names == tuple(str(number) for number in range(1, 27))
    assert min(lying.counts) > 0
    assert said(lying, "upload with transpose")
    upright = upload(DataStore(tmp_path / "upright"), "emnist_letters", transpose=True)
    assert not said(upright, "transpose")
    a, b = (DataStore(tmp_path / name).open("sample", seed=0).x for name in ("lying", "upright"))
    assert (a == b.swapaxes(2, 3)).all()


@pytest.mark.parametrize(
    ("name", "names", "shape"),
    [
        ("y_1based.npz", ("1", "2", "3"), (3, 12, 12)),
        ("y_gaps.npz", ("0", "5", "9"), (3, 12, 12)),
        ("y_onehot.npz", ("0", "1", "2"), (3, 12, 12)),
        ("y_str.npz", ("cat", "dog", "owl"), (3, 12, 12)),
        ("x_5ch.npz", ("0", "1", "2"), (5, 12, 12)),
    ],
)
def test_labels_and_channels(store: DataStore, name: str, names: tuple[str, ...], shape: tuple[int, ...]) -> None:
    info = upload(store, name)
    assert (info.class_names, info.counts, info.input_shape, info.kind) == (names, (20, 20, 20), shape, "image")


def test_what_is_taken_how_is_said(tmp_path: Path) -> None:
    for name, text in (
        ("x_5ch.npz", "5 channels"),
        ("y_onehot.npz", "one-hot"),
        ("r_scale_mismatch.npz", "x_test is unlike x_train"),
        ("g_nox.npz", "numbers of their neighbours"),
        ("gc_weight", "weight of edges.csv is left out"),
    ):
        assert said(upload(DataStore(tmp_path / name), name), text), name


def test_two_candidates_are_refused_as_ambiguous(store: DataStore) -> None:
    with pytest.raises(InvalidDataset, match="cannot be told") as caught:
        upload(store, "r_two_candidates.npz")
    assert rules(caught) == {"array_duplicate"}


def test_graphs(tmp_path: Path) -> None:
    for name, features in (("g_edge_index.npz", 5), ("g_nox.npz", 19), ("gc_semicolon", 2), ("gc_weight", 2)):
        info = upload(DataStore(tmp_path / name), name)
        assert (info.kind, info.input_shape, info.counts) == ("graph", (features,), (20, 20, 20)), name
        assert info.report["edges"]["listed"] == 240


def test_a_split_given_by_row_numbers_is_kept(store: DataStore) -> None:
    upload(store, "g_masks_idx.npz")
    with np.load(case("g_masks_idx.npz")) as given:
        splits = store.open("sample", seed=0).splits
        for name, part in (("train", splits.search_train), ("val", splits.search_val), ("test", splits.test)):
            assert part.tolist() == sorted(given[f"{name}_idx"].tolist())


def test_a_tu_archive_with_blank_ends_and_one_without_an_indicator(store: DataStore) -> None:
    info = upload(store, "tu_blank.zip")
    assert (info.report["graphs"], info.report["nodes"], info.counts) == (30, 193, (15, 15))
    with pytest.raises(InvalidDataset, match=r"no file that ends in _graph_indicator\.txt") as caught:
        upload(DataStore(store.root / "other"), "tu_noind.zip")
    assert rules(caught) == {"file_missing"}


def test_volumes_that_are_none(store: DataStore) -> None:
    with pytest.raises(InvalidDataset, match="no NIfTI volume") as caught:
        upload(store, "niftis.zip")
    assert rules(caught) <= {"nifti_invalid", "gzip_invalid"}
    assert caught.value.faults[0].pointer.startswith("/files/ad")
