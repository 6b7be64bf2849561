"""A file is there whole or as it was before, and nothing is left beside it."""

import os
from pathlib import Path

import pytest

from workers.atomic import write_whole


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_whole(path, "Züge")
    assert path.read_bytes() == "Züge".encode()
    write_whole(path, b"two", previous=tmp_path / "before")
    assert (path.read_bytes(), (tmp_path / "before").read_text()) == (b"two", "Züge")
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "a.json"
    path.write_text("one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if broken == "fsync" else Path, broken, full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "two")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_file_has_its_content_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment of the sync the old file is still in place and the new one is complete beside it."""
    path, seen = tmp_path / "a", []
    path.write_text("one")
    sync = os.fsync

    def watched(handle: int) -> None:
        seen.append((path.read_text(), sorted(p.read_text() for p in tmp_path.iterdir())))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_whole(path, "two")
    assert seen == [("one", ["one", "two"]), ("two", ["two"])]
