"""The files below `compressed/`, opened by a process that has torch and numpy and nothing of ours."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from archsmith.errors import TrialFailure
from search.spec import CompressSpec
from space.architecture import Architecture
from space.build import build
from tests.driving import spec
from tests.spaces import preset, sample
from workers.bundle import Preprocessing
from workers.compress import product
from workers.compress.chain import Compressed, Winner
from workers.compress.product import files, with_compressed
from workers.compress.state import State
from workers.datasets import DataStore
from workers.train.recipe import Recipe

PREPROCESSING = Preprocessing(mean=(0.5,), std=(0.25,), dtype="uint8", labels=tuple("abcde"))
OPEN = """
import sys
sys.path.insert(0, sys.argv[1])
import torch, load, model
net = load.load()
assert not net.training
assert not hasattr(model, "load")  # of a file that is not beside it
print([row for row in model.predict(net, torch.ones(2, 1, 8, 8)).tolist()])
foreign = {name.split(".")[0] for name in sys.modules} & {"safetensors", "space", "workers", "dahuffman", "onnx"}
assert not foreign, foreign
"""


def made(architecture: Architecture) -> tuple[Compressed, State]:
    torch.manual_seed(0)
    state = State(architecture=architecture, weights=build(architecture).state_dict(), form="coded")
    steps = [{"name": "quantise_int8", "final_score": 0.905}, {"name": "huffman"}]
    entry = {"smaller": 11.0, "final_score": 0.91, "steps": steps}
    graph = architecture.to_json()
    return Compressed(entry=entry, architecture=graph, packed=state.pack(), files={"model-int8.onnx": b"8"}), state


@pytest.mark.heavy
def test_it_opens_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    compressed, state = made(sample(preset("chain", (1, 8, 8)), 3))
    found = files(compressed, PREPROCESSING, name="shirts", before=0.92)
    for path, data in found.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert "11.0 times fewer" in found["compressed/README.md"].decode()
    assert "It scored 0.9050 on the test" in found["compressed/README.md"].decode()
    command = [sys.executable, "-I", "-B", "-c", OPEN, str(tmp_path / "compressed")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with torch.inference_mode():
        expected = state.module().eval()((torch.ones(2, 1, 8, 8) - 0.5) / 0.25).softmax(1)
    torch.testing.assert_close(torch.tensor(json.loads(printed)), expected, rtol=1e-5, atol=1e-5)


def test_an_old_bundle_keeps_its_files_beside_the_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.compress.product.render", lambda report: str(report["compression"]))
    monkeypatch.setattr("workers.bundle.with_card", lambda files, _: {**files, "model_card.md": b"all of it"})
    old = {"model.py": b"code", "report.json": b"{}", "SHA256SUMS": b"old", "compressed/load.py": b"old"}
    new = with_compressed(old, {"compressed/model.py": b"less"}, {"compression": {"bytes": 4}})
    assert sorted(new) == ["compressed/model.py", "model.py", "model_card.md", "report.html", "report.json"]
    assert json.loads(new["report.json"]) == {"compression": {"bytes": 4}}
    assert new["report.html"] == b"{'bytes': 4}"


def test_a_chain_that_crashes_leaves_the_trained_winner_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours in a step crashes the whole task on the cluster; the bundle is published without `compressed/`."""

    def run_tasks(function: Any, tasks: Any, **_: Any) -> Iterator[Any]:
        yield tasks[0], TrialFailure("crashed: TypeError: unsupported operand", cause="crashed")

    monkeypatch.setattr(product, "run_tasks", run_tasks)
    found = product.compress(
        spec(compress=CompressSpec(max_drop=0.01, steps=())),
        Winner(architecture={}, weights=b"", final_score=0.9),
        DataStore(tmp_path).open("digits", seed=0),
        recipe=Recipe(),
        donor=None,
        folder=tmp_path,
        should_stop=lambda: False,
    )
    assert found == ({}, {"failed": "crashed: TypeError: unsupported operand"})


def test_without_a_result_there_are_no_files() -> None:
    assert files(Compressed(entry={"failed": "x"}), PREPROCESSING, name="a", before=0.9) == {}
