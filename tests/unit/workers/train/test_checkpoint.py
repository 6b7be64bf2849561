"""Checkpoints: whole or not at all, and never a damaged one."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from workers.train import checkpoint


def state(number: int) -> dict[str, Any]:
    return {
        "epoch": number,
        "module": {"w": torch.full((64, 3), float(number))},
        "optimizer": {"state": {0: {"step": number}}},
    }


def epoch(path: Path) -> int | None:
    loaded = checkpoint.load(path)
    return None if loaded is None else loaded["epoch"]


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trial.ckpt"
    assert checkpoint.load(path) is None
    checkpoint.save(path, state(1))
    loaded = checkpoint.load(path)
    assert loaded is not None
    assert torch.equal(loaded["module"]["w"], state(1)["module"]["w"])
    assert loaded["optimizer"] == state(1)["optimizer"]
    assert [p.name for p in path.parent.iterdir()] == ["trial.ckpt"]


def test_memory_layout_is_kept(tmp_path: Path) -> None:
    weight = torch.rand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "a", {"w": weight})
    loaded = checkpoint.load(tmp_path / "a")
    assert loaded is not None
    assert loaded["w"].stride() == weight.stride()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.99])
def test_a_torn_file_falls_back_to_the_one_before(tmp_path: Path, share: float) -> None:
    path = tmp_path / "trial.ckpt"
    for number in (1, 2, 3):
        checkpoint.save(path, state(number))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert epoch(path) == 2


def test_a_flipped_bit_anywhere_falls_back(tmp_path: Path) -> None:
    path = tmp_path / "trial.ckpt"
    checkpoint.save(path, state(1))
    checkpoint.save(path, state(2))
    content = path.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert epoch(path) == 1, at


def test_both_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "trial.ckpt"
    checkpoint.save(path, state(1))
    checkpoint.save(path, state(2))
    path.write_bytes(b"")
    (tmp_path / "trial.ckpt.prev").write_bytes(b"x" * 100)
    assert checkpoint.load(path) is None


def test_the_moment_between_two_renames(tmp_path: Path) -> None:
    path = tmp_path / "trial.ckpt"
    checkpoint.save(path, state(1))
    os.replace(path, tmp_path / "trial.ckpt.prev")
    assert epoch(path) == 1


def test_a_save_that_fails_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trial.ckpt"
    checkpoint.save(path, state(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, state(2))
    assert epoch(path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["trial.ckpt"]


def test_another_versions_state_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "trial.ckpt"
    payload = b"whatever"
    path.write_bytes(b"archsmith checkpoint 1, torch 1.0.0\n" + hashlib.sha256(payload).digest() + payload)
    assert checkpoint.load(path) is None


def test_remove_takes_both(tmp_path: Path) -> None:
    path = tmp_path / "trial.ckpt"
    checkpoint.remove(path)
    checkpoint.save(path, state(1))
    checkpoint.save(path, state(2))
    checkpoint.remove(path)
    assert list(tmp_path.iterdir()) == []
