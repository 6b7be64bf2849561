"""The best weights of a job as files: written where they are the best, read without torch, dropped when beaten."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from search.trial import Measurement
from workers.weights import best_weights


def _offer(folder: Path, number: int, epoch: int, value: float, module: nn.Module | None = None) -> bool:
    measurement = Measurement(epoch=epoch, score=value / 2, train_loss=1.0, seconds=0.1)
    return best_weights.offer(folder, module or nn.Linear(2, 3), number=number, measurement=measurement, value=value)


def test_only_what_is_better_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "held"
    assert best_weights.found(folder) == []
    assert _offer(folder, 4, 1, 0.5)
    assert not _offer(folder, 5, 1, 0.5), "of equals the lower number is the better one"
    assert not _offer(folder, 4, 2, 0.5), "the same trial must rise"
    assert _offer(folder, 3, 7, 0.5)
    assert _offer(folder, 4, 3, 0.75)
    found = best_weights.found(folder)
    assert [(one.number, one.epoch, one.value, one.score) for one in found] == [
        (4, 3, 0.75, 0.375), (3, 7, 0.5, 0.25), (4, 1, 0.5, 0.25)
    ]  # fmt: skip
    best_weights.drop_all_but(found[0], folder)
    assert [path.name for path in folder.iterdir()] == ["4-3.safetensors"]


def test_the_weights_are_those_of_the_network(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    module(torch.randn(8, 2))
    _offer(tmp_path, 0, 1, 0.1, module)
    stored = load_file(best_weights.found(tmp_path)[0].path)
    assert stored.keys() == module.state_dict().keys()
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(stored[name], tensor)


@pytest.mark.parametrize("content", [b"", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 20, b"\x04\0\0\0\0\0\0\0null"])
def test_other_files_are_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1-2.safetensors").write_bytes(content)
    (tmp_path / "1-2.safetensors.0a.part").write_bytes(b"half")
    assert best_weights.found(tmp_path) == []
