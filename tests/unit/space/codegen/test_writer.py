"""Generated code: the same network as the builder's, in torch only, as a person would write it."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings

from space import presets
from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.codegen.writer import generate
from space.operations import OPERATIONS
from space.operations.base import Layer
from tests.conformance.operations import alone
from tests.effort import share
from tests.oracle import load_generated
from tests.spaces import preset, sample, shapes_of
from tests.unit.space.strategies import architectures, random_architecture


def assert_same(architecture: Architecture) -> str:
    text = generate(architecture)
    built, generated = build(architecture).eval(), load_generated(text).eval()
    assert set(generated.state_dict()) == set(built.state_dict())
    generated.load_state_dict(built.state_dict(), strict=True)
    x = torch.randn(2, *architecture.input_shape)
    torch.testing.assert_close(generated(x), built(x), atol=1e-5, rtol=1e-5)
    return text


@settings(max_examples=share(60), deadline=None)
@given(architectures())
def test_same_keys_and_logits_as_the_builder(architecture: Architecture) -> None:
    assert_same(architecture)


def conv(g: GraphBuilder, place: str, x: str, out: int, kernel: int = 3, stride: int = 1) -> str:
    attrs = {"out": out, "kernel": kernel, "stride": stride, "bias": False}
    x = g.add(f"{place}.norm", "batch_norm", {}, g.add(f"{place}.conv", "conv2d", attrs, x))
    return g.add(f"{place}.act", "activation", {"kind": "relu"}, x)


def head(g: GraphBuilder, x: str) -> Architecture:
    x = g.add("head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("head.linear", "linear", {"out": 10}, x))


def residual(widths: list[int]) -> Architecture:
    g = GraphBuilder((3, 16, 16), 10)
    x = conv(g, "stem", g.input, widths[0])
    for number, width in enumerate(widths):
        place = f"blocks.{number}"
        y = conv(g, f"{place}.second", conv(g, f"{place}.first", x, width, stride=2), width)
        skip = conv(g, f"{place}.shortcut", x, width, kernel=1, stride=2)
        x = g.add(f"{place}.add", "add", {}, y, skip)
    return head(g, x)


@pytest.mark.heavy
def test_blocks_that_differ_in_sizes_share_a_class() -> None:
    text = assert_same(residual([8, 16, 24]))
    assert re.findall(r"^class (\w+)", text, re.MULTILINE) == ["ConvBNReLU", "ResidualBlock", "Head", "Model"]
    assert "ConvBNReLU(in_channels, out_channels, kernel_size=3, stride=2)" in text
    assert "ResidualBlock(8, 16),  # (B, 16, 4, 4)" in text
    assert "return y + shortcut" in text.replace("x + shortcut", "y + shortcut")


def test_forward_passes_say_shapes() -> None:
    text = assert_same(residual([8]))
    assert "x = self.stem(x)  # (B, 8, 16, 16)" in text
    assert "return self.head(x)  # (B, 10)" in text


def test_parallel_branches_in_a_list() -> None:
    g = GraphBuilder((1, 8, 8), 10)
    ends = [conv(g, f"mix.branches.{i}", g.input, 4, kernel) for i, kernel in enumerate((1, 3, 5))]
    text = assert_same(head(g, g.add("mix.concat", "concat", {}, *ends)))
    assert "self.branches = nn.ModuleList(" in text
    assert "branch2 = self.branches[2](x)" in text
    assert "torch.cat([branch0, branch1, branch2], dim=1)" in text


def test_folders_with_gaps_and_tangles() -> None:
    """Numbers with a gap, a folder entered twice, one with two results: containers only, called from outside."""
    g = GraphBuilder((2, 8, 8), 10)
    a = conv(g, "odd.3", g.input, 4)
    b = conv(g, "odd.7", a, 4)
    c = g.add("twice.first", "conv2d", {"out": 4, "kernel": 1}, b)
    d = g.add("between", "activation", {"kind": "silu"}, c)
    e = g.add("twice.second", "conv2d", {"out": 4, "kernel": 1}, d)
    both = g.add("sum", "add", {}, c, e, b)
    text = assert_same(head(g, both))
    assert 'self.odd["3"]' in text


def test_names_that_need_care() -> None:
    """Words that would become keywords, torch's names or each other's class names."""
    g = GraphBuilder((2, 8, 8), 10)
    x = conv(g, "nn.lambdas.0", g.input, 4)
    ends = [conv(g, f"lambdas.{i}", x, 4, kernel) for i, kernel in enumerate((1, 3))]
    x = g.add("trues.0.model.tensor", "add", {}, *ends)
    for place in ("model.inner", "tensor.inner", "stage1", "stage.x2", "stages.0.deep", "stages.1.deep"):
        y = conv(g, f"{place}.a", x, 4)
        x = conv(g, f"{place}.b", g.add(f"{place}.drop", "dropout", {"rate": 0.5}, y), 4)
    assert_same(head(g, x))


def test_a_folder_may_be_called_like_a_layer() -> None:
    """The file's own class Attend gives way to the one that the operation brings along."""
    g = GraphBuilder((2, 8, 8), 10)
    x = g.input
    for number in range(2):
        y = g.add(f"attend.norm{number}", "batch_norm", {}, x)
        x = g.add(f"attend.attend{number}", "attend", {}, y, y, y)
    text = assert_same(head(g, x))
    names = re.findall(r"^class (\w+)", text, re.MULTILINE)
    assert len(set(names)) == len(names)
    assert {"Attend", "Attend_"} <= set(names)


def test_no_two_operations_define_classes_of_one_name() -> None:
    names: list[str] = []
    for operation in OPERATIONS.values():
        if isinstance(operation, Layer) and type(operation).define is not Layer.define:
            names += re.findall(r"^ +class (\w+)", inspect.getsource(type(operation).define), re.MULTILINE)
    assert "Attend" in names
    assert len(set(names)) == len(names)


def test_many_different_numbers_are_written_in_place() -> None:
    """Blocks whose shared class would take more than 7 parameters get one class each."""
    g = GraphBuilder((2, 8, 8), 10)
    x = g.input
    rng = Random(3)
    for block in range(3):
        ends = [conv(g, f"blocks.{block}.b{i}", x, rng.randrange(2, 9), rng.choice([1, 3, 5])) for i in range(6)]
        x = g.add(f"blocks.{block}.concat", "concat", {}, *ends)
    text = assert_same(head(g, x))
    assert "class BranchingBlock0(nn.Module)" in text
    assert "self.b0 = ConvBNReLU(2, " in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("darts_cell", {"Cell", "Node", "ReLUConvBN", "SeparableConv"}),
        ("shuffle", {"ShuffleUnit"}),
        ("mobile", {"InvertedResidual"}),
        ("resnet", {"SqueezeExcite", "ResidualBlock"}),
        ("graph_node", {"SAGEBlock"}),
    ],
)
def test_classes_have_the_names_that_the_field_uses(name: str, words: set[str]) -> None:
    """And none is called after its place in a cell."""
    text = generate(sample(preset(name, shapes_of(name)[1]), 1))
    found = {word.rstrip("0123456789") for word in re.findall(r"^class (\w+)", text, re.MULTILINE)}
    assert words <= found
    assert not found & {"First", "Second", "Before", "Last", "Edge", "BranchingNode"}


def lint(folder: Path, architectures: Iterable[Architecture]) -> None:
    """Each file as ruff would format it, and nothing that ruff would find."""
    for number, architecture in enumerate(architectures):
        (folder / f"model{number}.py").write_text(generate(architecture))
    for command in (["check", "--isolated"], ["format", "--isolated", "--diff", "--line-length", "110"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(folder)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_file_is_formatted_and_lint_free(tmp_path: Path) -> None:
    lint(tmp_path, [residual([8, 16]), *(random_architecture(Random(s)) for s in range(12))])


def test_so_are_the_layers_of_every_operation(tmp_path: Path) -> None:
    lint(
        tmp_path, (alone(operation, example)[0] for operation in OPERATIONS.values() for example in operation.examples)
    )


@pytest.mark.heavy
def test_and_the_networks_of_every_preset(tmp_path: Path) -> None:
    spaces = [preset(name, shapes_of(name)[1]) for name in presets.names()]
    lint(tmp_path, (sample(space, seed) for space in spaces for seed in range(4)))


def test_text_is_the_same_every_time() -> None:
    assert generate(residual([8, 16])) == generate(residual([8, 16]))
