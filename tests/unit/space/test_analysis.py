"""The costs are exact: PyTorch, asked by hooks and gradients, says the same."""

import torch
from hypothesis import assume, given, settings
from torch import nn

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.operations import OPERATIONS
from space.operations.base import Layer
from tests.effort import share
from tests.oracle import hooked_shapes, network_macs
from tests.unit.space.strategies import architectures

EVERYWHERE = frozenset({"group_norm", "attend", "zero", "global_max_pool", "adaptive_avg_pool", "multiply"})
"""Operations with statistics over the whole map, or with nothing: a receptive field leaves them out."""


@settings(max_examples=share(60), deadline=None)
@given(architectures())
def test_shapes_parameters_and_macs_are_torchs(architecture: Architecture) -> None:
    costs = analyse(architecture)
    module = build(architecture)
    shapes = hooked_shapes(architecture, module)
    layers = [node.name for node in architecture.nodes if isinstance(OPERATIONS[node.op], Layer)]
    assert shapes == {cost.name: cost.shape for cost in costs.nodes if cost.name in layers}
    assert costs.params == sum(p.numel() for p in module.parameters())
    assert costs.macs == network_macs(architecture, module)
    assert costs.output_shape == (architecture.classes,)
    by_path = {path: sum(p.numel() for p in m.parameters()) for path, m in module.named_modules() if path}
    assert all(cost.params == by_path.get(cost.name, 0) for cost in costs.nodes)


@settings(max_examples=share(40), deadline=None)
@given(
    architectures(
        avoid=EVERYWHERE | {"maxpool", "blur_pool", "resize", "resize_to", "conv_transpose2d", "gate"}, side=64
    )
)
def test_receptive_field_is_where_gradients_reach(architecture: Architecture) -> None:
    """The centre of the last map, where nothing touches an edge.

    Max-pools pass one gradient only, positions of a map that was enlarged see different widths (`test_pools.py`,
    `test_decoder.py`), and a gate between two equal maps passes nothing to what opens it: they sit out.
    """
    costs = {cost.name: cost for cost in analyse(architecture).nodes}
    name = [node.name for node in architecture.nodes if not node.name.startswith("head.")][-1]
    module = positive(build(architecture))
    x = torch.rand(1, *architecture.input_shape, requires_grad=True, dtype=torch.float64)
    values: dict[str, torch.Tensor] = {}
    follow(architecture, module, x, values)
    _, height, width = costs[name].shape
    values[name][0, :, height // 2, width // 2].sum().backward()
    assert x.grad is not None
    touched = (x.grad[0] != 0).any(dim=0)
    rows, columns = (touched.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    assume(int(rows[0]) > 0 and int(rows[-1]) < 63 and int(columns[0]) > 0 and int(columns[-1]) < 63)
    sides = (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    assert max(sides) == costs[name].receptive_field


def positive(module: nn.Module) -> nn.Module:
    """With positive weights and no cancelling, every pixel that can matter does."""
    for parameter in module.double().eval().parameters():
        nn.init.constant_(parameter, 0.5)
    return module


def follow(architecture: Architecture, module: nn.Module, x: torch.Tensor, values: dict[str, torch.Tensor]) -> None:
    """The forward pass with every node's value kept."""
    values[architecture.nodes[0].name] = x
    for node in architecture.nodes[1:]:
        operation = OPERATIONS[node.op]
        inputs = [values[source] for source in node.inputs]
        layer = isinstance(operation, Layer)
        values[node.name] = module.get_submodule(node.name)(*inputs) if layer else operation.apply(inputs)  # type: ignore[attr-defined]


def test_by_hand() -> None:
    """conv 3×3 (1 → 4) on 8×8, pool 2, conv 3×3 (4 → 8) on 4×4 beside a 1×1, then the head."""
    g = GraphBuilder((1, 8, 8), 5)
    x = g.add("a", "conv2d", {"out": 4, "kernel": 3}, g.input)
    x = g.add("p", "maxpool", {"kernel": 2, "stride": 2}, x)
    left = g.add("b", "conv2d", {"out": 8, "kernel": 3, "bias": False}, x)
    right = g.add("c", "conv2d", {"out": 8, "kernel": 1, "bias": False}, x)
    x = g.add("f", "flatten", {}, g.add("s", "add", {}, left, right))
    costs = analyse(g.finish(g.add("l", "linear", {"out": 5}, x)))
    assert (
        costs.measures.items()
        >= {
            "params": (4 * 9 + 4) + 8 * 4 * 9 + 8 * 4 + (128 * 5 + 5),
            "macs": 4 * 9 * 64 + 8 * 4 * 9 * 16 + 8 * 4 * 16 + 128 * 5,
            "receptive_field": 3 + 1 + 2 * 2,
            "output_stride": 2,
            "depth": 3,
        }.items()
    )
