"""The contract of `space/operations/base.py`, checked against PyTorch.

A new operation gives its `examples` and is then checked on all of them; nothing here names it.
"""

import html
import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks.base import conv
from space.build import build
from space.codegen.writer import generate
from space.kinds import MAPS
from space.operations import OPERATIONS
from space.operations.base import Attrs, Example, Function, Layer, Operation, Shape
from space.picture.drawing import draw
from tests.oracle import (
    NODES,
    ROWS,
    Reach,
    batch_of,
    hooked_macs,
    indices_of,
    load_generated,
    network_macs,
    support,
)

FEATURES = 6
"""Of each node of the graph data around an example."""

WIDE = {2: 48, 3: 24, 4: 12}
"""Sides of the line, square or cube on which windows are measured, by the length of the shape."""


def data_of(operation: Operation, example: Example) -> str:
    """The kind of data that an example is for."""
    indices = {*operation.indices, example.attrs.get("of"), operation.rows}
    if indices & {"graph"}:
        return "graphs"
    if indices & {"pairs", "pair"}:
        return "links"
    if indices & {"edges"}:
        return "nodes"
    return {2: "series", 4: "volume"}.get(max(map(len, example.inputs)), "image")


def checked(operation: Operation, example: Example) -> tuple[Attrs, list[Shape]]:
    """Attributes in normal form, and the shapes of all inputs, indices included."""
    return operation.check(example.attrs), [*example.inputs, *(() for _ in operation.indices)]


def alone(operation: Operation, example: Example) -> tuple[Architecture, str]:
    """The smallest architecture that holds the example, and the name of its node."""
    g = _ground(operation, example)
    node, x = _planted(g, operation, example)
    return g.finish(g.add("head.linear", "linear", {"out": 3}, x)), node


def together(examples: Iterable[tuple[Operation, Example]], most: int = 12) -> list[Architecture]:
    """Few architectures that hold all examples: up to `most` of one kind of data and one input, their logits added."""
    grounds: dict[tuple[str, Shape], list[tuple[Operation, Example]]] = {}
    for operation, example in examples:
        g = _ground(operation, example)
        grounds.setdefault((g.kind.name, g.shape(g.input)), []).append((operation, example))
    return [_added(of[first : first + most]) for of in grounds.values() for first in range(0, len(of), most)]


def _added(examples: Sequence[tuple[Operation, Example]]) -> Architecture:
    g, total = _ground(*examples[0]), ""
    for number, (operation, example) in enumerate(examples):
        _, x = _planted(g, operation, example, str(number))
        logits = g.add(f"head{number}.linear", "linear", {"out": 3}, x)
        total = g.add(f"head{number}.add", "add", {}, total, logits) if total else logits
    return g.finish(total)


MAPS_OF = {"image": (4, 9, 7), "volume": (4, 3, 5, 4), "series": (4, 11)}


def _ground(operation: Operation, example: Example) -> GraphBuilder:
    """A network that has nothing but its input, which the example can stand on."""
    data = data_of(operation, example)
    if data in ("nodes", "graphs", "links"):
        return GraphBuilder((FEATURES,), 3, data=data)
    largest = max(example.inputs, key=math.prod)
    side = MAPS_OF[data][1:] if len(largest) == 1 else largest[1:]
    return GraphBuilder(largest if operation.name == "input" else (3, *side), 3, data=data)


def _planted(g: GraphBuilder, operation: Operation, example: Example, place: str = "") -> tuple[str, str]:
    """The example's node, and the features of samples that follow from it. place: keeps the names of several apart."""
    if g.kind.name in ("nodes", "graphs", "links"):
        return _planted_in_graph(g, operation, example, place)
    sources = [_source(g, f"{place}.{number}", shape) for number, shape in enumerate(example.inputs)]
    node = g.input if operation.name == "input" else g.add(f"cell{place}.it", operation.name, example.attrs, *sources)
    return node, node if len(g.shape(node)) == 1 else g.add(f"head{place}.flatten", "flatten", {}, node)


def _source(g: GraphBuilder, place: str, shape: Shape) -> str:
    """A node of this shape."""
    if len(shape) == 1:
        flat = g.add(f"before{place}.flatten", "flatten", {}, g.input)
        return g.add(f"before{place}.linear", "linear", {"out": shape[0]}, flat)
    x = g.input
    if shape[1:] != g.shape(x)[1:]:
        x = g.add(f"before{place}.pool", "adaptive_avg_pool", {"size": list(shape[1:])}, x)
    return conv(g, f"before{place}.conv", x, out=shape[0], kernel=1)


def _planted_in_graph(g: GraphBuilder, operation: Operation, example: Example, place: str) -> tuple[str, str]:
    """Of an index the node stands there already, and something must read it."""
    if operation.name == "index":
        reader = next(other for other in OPERATIONS.values() if other.indices == (example.attrs["of"],))
        operation, example = reader, reader.examples[0]
    features = [
        g.add(f"before{place}.linear{number}", "linear", {"out": shape[0]}, g.input)
        for number, shape in enumerate(example.inputs)
    ]
    node = x = g.add(f"cell{place}.it", operation.name, example.attrs, *features)
    if g.kind.name != "nodes" and operation.rows is None:  # from rows of nodes to those that the data asks for
        last = next(
            other for other in OPERATIONS.values() if other.rows == {"graphs": "graph", "links": "pair"}[g.kind.name]
        )
        x = g.add(f"cell{place}.last", last.name, last.examples[0].attrs, x)
    return node, x


def module_of(operation: Operation, example: Example) -> nn.Module:
    """The operation by itself, as a module of its inputs."""
    if isinstance(operation, Layer):
        return operation.module(*checked(operation, example)).eval()

    class Applied(nn.Module):
        def forward(self, *tensors: Tensor) -> Tensor:
            assert isinstance(operation, Function)
            return operation.apply(tensors)

    return Applied()


def given(operation: Operation, example: Example, rows: int = 2) -> tuple[Tensor, ...]:
    """Random inputs for `module_of`: features, then indices."""
    first = rows * NODES if operation.indices else rows
    features = [torch.randn(first, *shape) for shape in example.inputs]
    return *features, *(indices_of(of, rows) for of in operation.indices)


def check_shape_is_torchs(operation: Operation, example: Example) -> None:
    if example.inputs:
        got = module_of(operation, example)(*given(operation, example))
        rows = 2 * ROWS.get(operation.rows or ("node" if operation.indices else ""), 1)
        assert tuple(got.shape) == (rows, *operation.shape(*checked(operation, example)))
        assert got.isfinite().all()


def check_params_are_numel(operation: Operation, example: Example) -> None:
    if example.inputs:
        numel = sum(p.numel() for p in module_of(operation, example).parameters() if p.requires_grad)
        assert operation.params(*checked(operation, example)) == numel


def check_macs_are_hooked(operation: Operation, example: Example) -> None:
    if example.inputs:
        hooked = hooked_macs(
            module_of(operation, example), given(operation, example, 1), by_row=bool(operation.indices)
        )
        assert operation.macs(*checked(operation, example)) == hooked


def check_window_is_support(operation: Operation, example: Example) -> None:
    """Which pixels of the first input move an output pixel, found by moving each of them."""
    if not example.inputs or operation.indices or len(example.inputs[0]) == 1:
        return
    attrs, _ = checked(operation, example)
    rank, side = len(example.inputs[0]) - 1, WIDE[len(example.inputs[0])]
    inputs = [shape if math.prod(shape[1:]) == 1 else (shape[0], *[side] * rank) for shape in example.inputs]
    window = operation.window(attrs, inputs)
    size = operation.shape(attrs, inputs)[1:]
    if window is None and size != inputs[0][1:]:
        return  # it leaves the map
    up = 1 if window is None else window.up
    at = [length // 2 // up * up for length in size]
    found = support(
        module_of(operation, Example(inputs=tuple(inputs), attrs=example.attrs)),
        inputs,
        [slice(first, first + up) for first in at],
    )
    if window is None:  # it stays where it is, or reads nothing, or all of the map but for a rest that fills no window
        everywhere = all(last - first >= side - 4 for first, last in found)
        assert everywhere or found == tuple((i, i) for i in at)
        return
    expected: Reach = ()
    for axis, position in enumerate(at):
        first = position * window.stride // up - window.padding[axis]
        expected = (*expected, (first, first + window.dilation * (window.kernel[axis] - 1)))
    assert found == expected


def check_swapped_channels(operation: Operation, example: Example) -> None:
    """KEEPS: permuting the channels that come in permutes those that leave, for fresh weights set alike."""
    if len(example.inputs) != 1 or operation.channels(*checked(operation, example)).value != "keeps":
        return
    module = module_of(operation, example)
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.5)
    x, *indices = given(operation, example)
    order = torch.randperm(x.shape[1])
    before, after = module(x, *indices), module(x[:, order], *indices)
    blocks = before.reshape(len(before), x.shape[1], -1)[:, order].reshape(before.shape)
    torch.testing.assert_close(after, blocks)


def check_swapped_inputs(operation: Operation, example: Example) -> None:
    """Commutative: the features may come in any order."""
    if operation.commutative and example.inputs:
        module, inputs = module_of(operation, example), given(operation, example)
        count = len(example.inputs)
        torch.testing.assert_close(module(*inputs[:count][::-1], *inputs[count:]), module(*inputs))


def check_zeros(operation: Operation, example: Example) -> None:
    """`vanishes` names exactly the inputs whose zeros leave nothing but zeros, whatever weights and others hold."""
    if operation.arity == (0, 0):
        return
    module = module_of(operation, example)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    for zero in itertools.product((False, True), repeat=len(example.inputs)):
        inputs = given(operation, example)
        features = [x * 0 if none else x.abs() for none, x in zip(zero, inputs, strict=False)]
        got = module(*features, *inputs[len(zero) :])
        assert (not got.any()) == operation.vanishes(operation.check(example.attrs), zero), zero


def check_normal_form(operation: Operation, example: Example) -> None:
    """Checking twice changes nothing, and the normal form survives JSON."""
    attrs = operation.check(example.attrs)
    assert operation.check(attrs) == attrs
    assert operation.check(json.loads(json.dumps(attrs))) == attrs


def check_label(operation: Operation, example: Example) -> None:
    label = operation.label(operation.check(example.attrs))
    assert label
    assert len(label) < 40


def check_generated_code(operation: Operation, example: Example) -> None:
    architecture, _ = alone(operation, example)
    built = build(architecture)
    generated = load_generated(generate(architecture))
    assert list(generated.state_dict()) == list(built.state_dict())
    generated.load_state_dict(built.state_dict(), strict=True)
    inputs = batch_of(architecture.data, architecture.input_shape, 3)
    torch.testing.assert_close(generated.eval()(*inputs), built.eval()(*inputs), atol=1e-5, rtol=0)


def check_trains(operation: Operation, example: Example) -> None:
    """A backward pass in training mode gives all its parameters a gradient, and finite ones to what it reads."""
    architecture, node = alone(operation, example)
    module = build(architecture)
    module(*batch_of(architecture.data, architecture.input_shape, 4)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None or not name.startswith(f"{node}."), name
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def check_rows_are_apart(operation: Operation, example: Example) -> None:
    """In use, what a network says of a sample does not depend on the others of the batch."""
    architecture, _ = alone(operation, example)
    if architecture.data in MAPS:
        module = build(architecture).eval()
        [x] = batch_of(architecture.data, architecture.input_shape, 3)
        torch.testing.assert_close(module(x)[1:2], module(x[1:2]), atol=1e-5, rtol=1e-5)


def check_json_round_trip(operation: Operation, example: Example) -> None:
    architecture, _ = alone(operation, example)
    back = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert back == architecture
    assert back.hash == architecture.hash


def check_analysis(operation: Operation, example: Example) -> None:
    architecture, node = alone(operation, example)
    costs = analyse(architecture)
    module = build(architecture)
    assert costs.params == sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert costs.macs == network_macs(architecture, module)
    assert any(cost.name == node for cost in costs.nodes)


def check_picture(operation: Operation, example: Example) -> None:
    architecture, _ = alone(operation, example)
    assert operation.label(operation.check(example.attrs)) in html.unescape(draw(architecture))


Check = Callable[[Operation, Example], None]

CHECKS: list[Check] = [value for key, value in sorted(globals().items()) if key.startswith("check_")]
