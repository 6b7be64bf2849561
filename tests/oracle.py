"""PyTorch as the judge of what `space/` computes."""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from onnxruntime import InferenceSession, SessionOptions
from torch import Tensor, nn

from space.architecture import Architecture
from space.export import export_onnx
from space.kinds import KINDS
from space.node import row_kinds

NODES, GRAPHS, PAIRS = 9, 3, 5
"""Rows of the graph data that `batch_of` makes, before they are multiplied."""

ROWS = {"node": NODES, "graph": GRAPHS, "pair": PAIRS}


def batch_of(data: str, shape: Sequence[int], rows: int = 2, *, seed: int = 0) -> tuple[Tensor, ...]:
    """What a network for this kind of data is called with: `rows` samples, or `rows` times the graphs of `indices_of`.

    (rows, *shape), or (rows · NODES, F) and the indices.
    """
    generator = torch.Generator().manual_seed(seed)
    kind = KINDS[data]
    x = torch.randn(rows * (NODES if kind.is_graph else 1), *shape, generator=generator)
    return x, *(indices_of(of, rows, seed=seed) for of in kind.indices)


def indices_of(of: str, times: int = 1, *, seed: int = 0) -> Tensor:
    """Random edges in both directions, numbers of the nodes' graphs (sorted, none empty), or random pairs of nodes.

    edges (2, E), graph (N,), pairs (2, P); no edge leaves its graph. One node has no edge, as in real graphs.
    """
    generator = torch.Generator().manual_seed(seed)
    graph = torch.arange(times * GRAPHS).repeat_interleave(NODES // GRAPHS)
    if of == "graph":
        return graph
    if of == "pairs":
        return torch.randint(times * NODES, (2, times * PAIRS), generator=generator)
    side = NODES // GRAPHS
    ends = torch.randint(side, (2, times * NODES), generator=generator)
    ends = ends + side * torch.randint(times * GRAPHS, (times * NODES,), generator=generator)
    ends = ends[:, (ends != 0).all(dim=0) & (ends[0] != ends[1])]
    return cast(Tensor, torch.unique(torch.cat([ends, ends.flip(0)], dim=1), dim=1))


def rows_of(architecture: Architecture, rows: int = 2) -> int:
    """How many rows of logits the network gives for `batch_of` with so many samples."""
    return rows * ROWS.get(KINDS[architecture.data].rows, 1)


def hooked_macs(module: nn.Module, inputs: Sequence[Tensor], *, by_row: bool = False) -> int:
    """Multiply-accumulates counted by hooks on convolutions and linear layers; by_row: of one row of each output."""
    counted = 0

    def count(layer: nn.Module, read: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer.weight, Tensor)
        rows = output.shape[0] if by_row else 1
        each = read[0] if isinstance(layer, nn.ConvTranspose2d) else output  # its weights: (in, out, k, l)
        counted += each.numel() // rows * layer.weight[0].numel()

    handles = [m.register_forward_hook(count) for m in module.modules() if _multiplies(m)]
    training = module.training
    with torch.no_grad():
        module.eval()(*inputs)
    module.train(training)
    for handle in handles:
        handle.remove()
    return counted


def _multiplies(module: nn.Module) -> bool:
    """Convolutions over maps and linear layers, those of torch_geometric and those that share weights out too."""
    convolutions = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d")
    return isinstance(module, nn.Linear) or type(module).__name__ in (*convolutions, "Linear")


def network_macs(architecture: Architecture, module: nn.Module) -> int:
    """Multiply-accumulates of one sample; of graph data those of one row of every layer."""
    inputs = batch_of(architecture.data, architecture.input_shape, 1)
    return hooked_macs(module, inputs, by_row=KINDS[architecture.data].is_graph)


def hooked_shapes(architecture: Architecture, module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Output shape of every layer by the name of its node, without the batch; checks how many rows each gives."""
    shapes: dict[str, tuple[int, ...]] = {}
    rows = row_kinds(architecture.nodes)

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            assert output.shape[0] == 2 * ROWS.get(rows[name], 1)
            shapes[name] = tuple(output.shape[1:])

        return hook

    layers = dict(module.named_modules())
    handles = [
        layers[node.name].register_forward_hook(note(node.name)) for node in architecture.nodes if node.name in layers
    ]
    with torch.no_grad():
        module.eval()(*batch_of(architecture.data, architecture.input_shape))
    for handle in handles:
        handle.remove()
    return shapes


Reach = tuple[tuple[int, int], ...]
"""First and last position along each side of a map; nothing where no position is read."""


def support(module: nn.Module, shapes: Sequence[tuple[int, ...]], box: Sequence[slice]) -> Reach:
    """Which positions of the first input's map move the outputs in `box`, found by moving each of them.

    The other inputs of the same sides are moved with it; those of one pixel stay.
    """
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1.0)
    sides = shapes[0][1:]
    pixels = torch.eye(int(torch.tensor(sides).prod())).reshape(-1, 1, *sides)

    def at_box(batch: Tensor) -> Tensor:
        given = [
            batch.expand(-1, shape[0], *sides) if shape[1:] == sides else torch.ones(len(batch), *shape)
            for shape in shapes
        ]
        output: Tensor = module(*given)
        return output[(slice(None), slice(None), *box)].flatten(1)

    with torch.no_grad():
        touched = (at_box(pixels) != at_box(torch.zeros(1, 1, *sides))).any(dim=1).reshape(sides)
    found = touched.nonzero()
    return tuple((int(axis.min()), int(axis.max())) for axis in found.T if len(axis))


def onnx_session(architecture: Architecture, module: nn.Module) -> InferenceSession:
    """The exported network in ONNX Runtime, on one thread."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(architecture, module, path)
        return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_logits(session: InferenceSession, inputs: Sequence[Tensor]) -> Tensor:
    """What the runtime gives for the inputs of a network, in the order of the model's own."""
    names = [value.name for value in session.get_inputs()]
    [logits] = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    return torch.from_numpy(logits)


MAY_IMPORT = {"math", "torch", "torch_geometric"}


def load_generated(text: str, may_import: Iterable[str] = MAY_IMPORT) -> nn.Module:
    """Run a generated file and build its model; it may import torch, torch_geometric, math and nothing else."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.partition(".")[0] for name in names} <= set(may_import)
    space: dict[str, Any] = {"__name__": "generated_model"}
    exec(compile(tree, "model.py", "exec"), space)
    model = space["build"]()
    assert isinstance(model, nn.Module)
    return model
