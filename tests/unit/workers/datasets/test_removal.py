"""Removing and replacing data sets, and what is left of it when a process is killed in between."""

from pathlib import Path

import pytest

from archsmith.errors import NotFound
from tests.unit.workers.datasets.test_store import small
from workers.datasets import DataStore, removal


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_removed_data_set_is_gone_and_its_name_free(tmp_path: Path) -> None:
    store = DataStore(tmp_path)
    store.add("one", small())
    store.remove("one")
    assert names(tmp_path) == []
    store.add("one", small(60))
    assert store.describe("one").train > 0
    for name in ("two", "digits", "../one", ".one"):
        with pytest.raises(NotFound):
            store.remove(name)


def test_a_replaced_data_set_has_the_new_content(tmp_path: Path) -> None:
    store, other = DataStore(tmp_path / "here"), DataStore(tmp_path / "here" / ".x-incoming")
    store.add("one", small())
    new = other.add("one", small(60))
    assert store.replace("one", other) == new == store.describe("one")
    assert store.open("one", seed=0).sha256 == new.sha256
    assert names(tmp_path / "here") == [".x-incoming", "one"]
    with pytest.raises(NotFound):
        store.replace("one", other)


@pytest.mark.parametrize("killed_after", ["first step", "second step", "removal's first step"])
def test_a_killed_process_loses_no_data_set(tmp_path: Path, killed_after: str) -> None:
    store = DataStore(tmp_path)
    old = store.add("one", small())
    if killed_after == "first step":
        (tmp_path / "one").rename(tmp_path / ".one-replaced")
    elif killed_after == "second step":
        (tmp_path / "one").rename(tmp_path / ".one-replaced")
        old = store.add("one", small(60))
    else:
        (tmp_path / "one").rename(tmp_path / ".one-12345678-removed")
    store.sweep()
    if killed_after == "removal's first step":
        assert names(tmp_path) == []
    else:
        assert names(tmp_path) == ["one"]
        assert store.describe("one") == old


def test_a_swap_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    store = DataStore(tmp_path)
    old = store.add("one", small())
    with pytest.raises(OSError, match="nothing"):
        removal.swap(tmp_path, "one", tmp_path / "nothing")
    assert (store.describe("one"), names(tmp_path)) == (old, ["one"])
