"""A disk that is full while pictures are read: it is told, nothing is stored, and a row that was cut is completed."""

import argparse
import errno
import os
from pathlib import Path

import pytest

from tests.unit.workers.sources import picture, write_zip
from workers.datasets import DataStore
from workers.datasets.ingest import OPTIONS, answer, ingest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "a.zip", {f"c{n % 2}/{n}.png": picture(n) for n in range(12)})


def test_a_write_that_is_cut_short_is_completed(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ingest("images", source, name="whole", store=DataStore(tmp_path / "one"))
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, at: write(file, content[:100], at))
    cut = ingest("images", source, name="cut", store=DataStore(tmp_path / "other"))
    assert cut.sha256 == whole.sha256


def test_no_space_is_told_and_nothing_is_stored(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, content: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    store = tmp_path / "store"
    told = answer(
        argparse.Namespace(format="images", source=[source], name="x", store=store, **dict.fromkeys(OPTIONS, None))
    )
    assert [fault["rule"] for fault in told["faults"]] == ["storage_full"]
    assert list(store.iterdir()) == []
