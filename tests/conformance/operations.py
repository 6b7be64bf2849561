"""What every registered operation must keep: the law of `space/operations/base.py`, checked against PyTorch.

A new operation adds its examples to EXAMPLES and is then held to all of it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.codegen import generate
from space.operations import OPERATIONS
from space.operations.base import Function, Layer, Shape
from space.picture import draw
from tests.oracle import hooked_macs, load_generated, support


@dataclass(frozen=True, kw_only=True)
class Example:
    """One use of an operation: attributes as a user may give them, and the shapes that come in."""

    inputs: tuple[Shape, ...] = ((4, 9, 7),)
    attrs: dict[str, Any] = field(default_factory=dict)


MAP, SMALL, VECTOR = (4, 9, 7), (2, 9, 7), (12,)

EXAMPLES: dict[str, list[Example]] = {
    "input": [Example(inputs=(MAP,))],
    "conv2d": [
        Example(attrs={"out": 6, "kernel": 3}),
        Example(attrs={"out": 6, "kernel": [3, 5], "stride": 2, "bias": False}),
        Example(attrs={"out": 8, "kernel": 5, "groups": 4}),
        Example(attrs={"out": 4, "kernel": 3, "groups": 4, "dilation": 2}),
        Example(attrs={"out": 3, "kernel": [1, 7], "padding": "valid"}),
        Example(attrs={"out": 3, "kernel": 1, "padding": "valid", "stride": 3}),
        Example(attrs={"out": 3, "kernel": [2, 4], "dilation": 2}),
    ],
    "batch_norm": [Example()],
    "group_norm": [Example(attrs={"groups": 1}), Example(attrs={"groups": 2}), Example(attrs={"groups": 4})],
    "activation": [
        Example(attrs={"kind": kind}, inputs=inputs)
        for kind in ("relu", "leaky_relu", "silu", "gelu", "hardswish")
        for inputs in ((MAP,), (VECTOR,))
    ],
    "maxpool": [
        Example(attrs={"kernel": 2, "stride": 2}),
        Example(attrs={"kernel": 3, "stride": 2, "padding": "same"}),
        Example(attrs={"kernel": [2, 3]}),
        Example(attrs={"kernel": 1, "stride": 2}),
    ],
    "avgpool": [
        Example(attrs={"kernel": 2, "stride": 2}),
        Example(attrs={"kernel": 3, "stride": 1, "padding": "same"}),
        Example(attrs={"kernel": [4, 3], "stride": 3, "padding": "same"}),
    ],
    "dropout": [Example(attrs={"rate": 0.25}), Example(attrs={"rate": 0}, inputs=(VECTOR,))],
    "add": [Example(inputs=(MAP, MAP)), Example(inputs=(VECTOR, VECTOR, VECTOR))],
    "concat": [Example(inputs=(MAP, SMALL)), Example(inputs=(SMALL, MAP, MAP)), Example(inputs=(VECTOR, (3,)))],
    "global_avg_pool": [Example()],
    "flatten": [Example(), Example(inputs=(VECTOR,))],
    "linear": [Example(attrs={"out": 5}, inputs=(VECTOR,)), Example(attrs={"out": 5, "bias": False}, inputs=(VECTOR,))],
    "identity": [Example(), Example(inputs=(VECTOR,))],
}

LOOKS_EVERYWHERE = {"group_norm"}
"""Operations that keep the shape of a map but take statistics over all of it, which a receptive field leaves out."""


def alone(name: str, example: Example) -> tuple[Architecture, str]:
    """The smallest architecture that holds the example, and the name of its node."""
    vector = len(example.inputs[0]) == 1
    g = GraphBuilder(MAP, 3)
    sources = [_source(g, number, shape) for number, shape in enumerate(example.inputs)]
    node = g.input if name == "input" else g.add("cell.it", name, example.attrs, *sources)
    x = node if vector else g.add("head.flatten", "flatten", {}, node)
    return g.finish(g.add("head.linear", "linear", {"out": 3}, x)), node


def _source(g: GraphBuilder, number: int, shape: Shape) -> str:
    if len(shape) == 3:
        return g.add(f"before.conv{number}", "conv2d", {"out": shape[0], "kernel": 1}, g.input)
    flat = g.add(f"before.flatten{number}", "flatten", {}, g.input)
    return g.add(f"before.linear{number}", "linear", {"out": shape[0]}, flat)


def module_of(name: str, example: Example) -> nn.Module:
    """The operation by itself, as a module of one tensor or a list of them."""
    operation = OPERATIONS[name]
    attrs = operation.check(example.attrs)
    if isinstance(operation, Layer):
        return operation.module(attrs, example.inputs).eval()

    class Applied(nn.Module):
        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            assert isinstance(operation, Function)
            return operation.apply(tensors)

    return Applied()


def check_shape_is_torchs(name: str, example: Example) -> None:
    operation = OPERATIONS[name]
    tensors = [torch.randn(2, *shape) for shape in example.inputs]
    got = module_of(name, example)(*tensors)
    assert tuple(got.shape) == (2, *operation.shape(operation.check(example.attrs), example.inputs))


def check_params_are_numel(name: str, example: Example) -> None:
    operation = OPERATIONS[name]
    numel = sum(p.numel() for p in module_of(name, example).parameters() if p.requires_grad)
    assert operation.params(operation.check(example.attrs), example.inputs) == numel


def check_macs_are_hooked(name: str, example: Example) -> None:
    operation = OPERATIONS[name]
    assert operation.macs(operation.check(example.attrs), example.inputs) == hooked_macs(
        module_of(name, example), example.inputs
    )


def check_window_is_support(name: str, example: Example) -> None:
    """Which input pixels move one output pixel, found by moving each of them."""
    operation = OPERATIONS[name]
    attrs = operation.check(example.attrs)
    channels = example.inputs[0][0]
    wide = (channels, 23, 23)
    shape = operation.shape(attrs, [wide] * len(example.inputs)) if len(example.inputs[0]) == 3 else ()
    window = operation.window(attrs)
    if len(shape) != 3 or shape[1:] == (1, 1) or name in LOOKS_EVERYWHERE:
        assert window is None
        return
    at = (shape[1] // 2, shape[2] // 2)
    rows, columns = support(module_of(name, example), [wide] * len(example.inputs), at)
    for axis, found in enumerate((rows, columns)):
        if window is None:
            assert found == (at[axis], at[axis])
            continue
        first = at[axis] * window.stride - window.padding[axis]
        assert found == (first, first + window.dilation * (window.kernel[axis] - 1))


def check_swapped_channels(name: str, example: Example) -> None:
    """KEEPS: permuting the channels that come in permutes those that leave, for fresh weights set alike."""
    operation = OPERATIONS[name]
    attrs = operation.check(example.attrs)
    effect = operation.channels(attrs, example.inputs).value
    if effect != "keeps" or len(example.inputs) > 1:
        return
    module = module_of(name, example)
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.5)
    x = torch.randn(2, *example.inputs[0])
    order = torch.randperm(x.shape[1])
    before, after = module(x), module(x[:, order])
    blocks = before.reshape(2, x.shape[1], -1)[:, order].reshape(before.shape)
    torch.testing.assert_close(after, blocks)


def check_normal_form(name: str, example: Example) -> None:
    """Checking twice changes nothing, and the normal form survives JSON."""
    operation = OPERATIONS[name]
    attrs = operation.check(example.attrs)
    assert operation.check(attrs) == attrs
    assert operation.check(json.loads(json.dumps(attrs))) == attrs


def check_label(name: str, example: Example) -> None:
    operation = OPERATIONS[name]
    label = operation.label(operation.check(example.attrs))
    assert label
    assert len(label) < 40


def check_generated_code(name: str, example: Example) -> None:
    architecture, _ = alone(name, example)
    built = build(architecture).eval()
    generated = load_generated(generate(architecture))
    generated.load_state_dict(built.state_dict(), strict=True)
    x = torch.randn(2, *architecture.input_shape)
    torch.testing.assert_close(generated.eval()(x), built(x), atol=1e-5, rtol=0)


def check_json_round_trip(name: str, example: Example) -> None:
    architecture, _ = alone(name, example)
    back = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert back == architecture
    assert back.hash == architecture.hash


def check_analysis(name: str, example: Example) -> None:
    architecture, node = alone(name, example)
    costs = analyse(architecture)
    module = build(architecture)
    assert costs.params == sum(p.numel() for p in module.parameters())
    assert costs.macs == hooked_macs(module, [architecture.input_shape])
    assert any(cost.name == node for cost in costs.nodes)


def check_picture(name: str, example: Example) -> None:
    architecture, _ = alone(name, example)
    operation = OPERATIONS[name]
    assert operation.label(operation.check(example.attrs)) in draw(architecture)


CHECKS = [value for key, value in sorted(globals().items()) if key.startswith("check_")]
