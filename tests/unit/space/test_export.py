"""The ONNX model: what it is called with, what it says of itself, what it refuses. Numbers: the conformance suite."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import ModelProto
from torch import nn

from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.export import OPSET, export_onnx
from space.third_party import ExportFailure


def image() -> Architecture:
    g = GraphBuilder((1, 8, 6), 3)
    x = g.add("stem.conv", "conv2d", {"out": 4, "kernel": 3}, g.input)
    x = g.add("stem.norm", "batch_norm", {}, x)
    x = g.add("head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("head.linear", "linear", {"out": 3}, x))


def nodes() -> Architecture:
    """A network that never looks at the edges."""
    g = GraphBuilder((5,), 3, data="nodes")
    return g.finish(g.add("linear", "linear", {"out": 3}, g.input))


def exported(architecture: Architecture, folder: Path) -> ModelProto:
    export_onnx(architecture, build(architecture), folder / "model.onnx")
    return onnx.load(folder / "model.onnx")


def shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.heavy
def test_inputs_are_named_and_the_batch_is_open(tmp_path: Path) -> None:
    graph = exported(image(), tmp_path).graph
    assert [(value.name, shape(value)) for value in graph.input] == [("x", ["batch", 1, 8, 6])]
    assert [(value.name, shape(value)) for value in graph.output] == [("logits", ["batch", 3])]


@pytest.mark.heavy
def test_an_index_that_nobody_reads_is_an_input_all_the_same(tmp_path: Path) -> None:
    graph = exported(nodes(), tmp_path).graph
    assert [(value.name, shape(value)) for value in graph.input] == [("x", ["nodes", 5]), ("edges", [2, "edges"])]
    assert shape(graph.output[0]) == ["nodes", 3]


@pytest.mark.heavy
def test_the_model_says_which_architecture_it_is_and_nothing_of_the_machine(tmp_path: Path) -> None:
    model = exported(image(), tmp_path)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"architecture": image().hash}
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    data = (tmp_path / "model.onnx").read_bytes()
    assert b"site-packages" not in data
    assert b".py" not in data
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.heavy
@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_as_it_was(tmp_path: Path, training: bool) -> None:
    module = build(image()).train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    export_onnx(image(), module, tmp_path / "model.onnx")
    assert all(part.training is training for part in module.modules())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_two_gigabytes_do_not_fit_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(ExportFailure, match=r"less than 2 GB, the weights take 2\.1 GB"):
        export_onnx(image(), nn.Linear(2**14, 2**15, device="meta"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
