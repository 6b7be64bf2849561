"""The exporter: a trained network as an ONNX model that any runtime runs, or a program of torch.export; open batches.

It rests on torch.export, not on torch's older tracer (`dynamo=False`). The tracer is ten times faster, but deprecated,
it refuses a seventh of the operations here (what scatters, pooling to sides that do not divide) and leaves out inputs
that a network does not happen to read. A product is exported once, so what lasts wins: about a second for 50 nodes.
"""

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from space.architecture import Architecture
from space.kinds import KINDS, Kind

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram

OPSET = 18
"""The lowest that the exporter writes, so that the most runtimes read it (ONNX 1.13, December 2022)."""

INDICES: Mapping[str, tuple[Tensor, int, str]] = {
    "edges": (torch.tensor([[0, 1, 1, 2, 4], [1, 0, 2, 1, 3]]), 1, "edges"),
    "graph": (torch.tensor([0, 0, 0, 1, 1, 2]), 0, "nodes"),
    "pairs": (torch.tensor([[0, 3, 5], [1, 4, 2]]), 1, "pairs"),
}
"""Index -> one to follow through the network, of 6 nodes; its open axis, and the name of that axis in the model."""


def export_onnx(architecture: Architecture, module: nn.Module, path: Path) -> None:
    """Write the network for inference in float32, in one file with its weights; checked before it is written.

    module: with the architecture's state dict, on the processor; it is left in the mode it was in.
    Inputs of the model are x and, for graph data, edges, graph, pairs, as `space.kinds` lists them, whether the network
    reads them or not; the output is logits. Shapes are the network's own, and these axes are open: batch (images,
    volumes), nodes, edges, pairs. Raises ValueError for a network above the 2 GB that one ONNX file can hold.
    """
    _check_size(module.state_dict())
    path.write_bytes(onnx_bytes(architecture, to_program(architecture, module)))


def onnx_bytes(architecture: Architecture, program: "ExportedProgram") -> bytes:
    """What `export_onnx` writes, of the network as `to_program` gives it. Raises as that does."""
    import onnx

    _check_size(program.state_dict)
    model = to_onnx(architecture, program)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _check_size(state: Mapping[str, Tensor]) -> None:
    needed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if needed >= 2**31 - 2**20:
        raise ValueError(f"an ONNX file holds less than 2 GB, the weights take {needed / 1e9:.1f} GB")


def program_bytes(program: "ExportedProgram") -> bytes:
    """The program as a `.pt2` archive, the same bytes for the same network, for `torch.export.load`.

    Left out is what the exporter notes of the machine (stacks with paths of files), and the inputs it was traced with.
    The archive's inner folder is named after the file it is written to; a buffer has no name.
    """
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    program.example_inputs = None
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def to_onnx(architecture: Architecture, program: "ExportedProgram") -> "ModelProto":
    """The model that `export_onnx` writes, unchecked. program: of `to_program`."""
    kind = KINDS[architecture.data]
    with _quietly():
        made = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=["x", *kind.indices],
            output_names=["logits"],
            verbose=False,
        )
    assert made is not None  # noqa: S101 - without a path the exporter returns what it made
    model = made.model_proto
    _name_axes(model, kind)
    _tidy(model, architecture)
    return model


def to_program(architecture: Architecture, module: nn.Module) -> "ExportedProgram":
    """The network for inference as a program of torch.export, its axes as open as those of the model."""
    kind, training = KINDS[architecture.data], module.training
    open_ = torch.export.Dim.DYNAMIC
    x = torch.zeros(6 if kind.is_graph else 2, *architecture.input_shape)
    inputs = (x, *(INDICES[index][0] for index in kind.indices))
    axes = ({0: open_}, *({INDICES[index][1]: open_} for index in kind.indices))
    pool = torch.ops.aten.adaptive_avg_pool3d.default
    with torch.no_grad(), _quietly():
        try:
            program: ExportedProgram = torch.export.export(module.eval(), inputs, dynamic_shapes=(axes,), strict=False)
        finally:
            module.train(training)
        if any(node.target is pool for node in program.graph.nodes):
            program = program.run_decompositions({pool: _pool_by_slices})
    return program


def _pool_by_slices(x: Tensor, size: list[int]) -> Tensor:
    """Adaptive average pooling (B, C, D, H, W) -> (B, C, *size), which the exporter knows in two dimensions only.

    A mean over a box is one over each of its sides, so the bins are joined along one side after the other.
    """
    for axis, bins in zip((2, 3, 4), size, strict=True):
        side = int(x.shape[axis])
        cuts = [(i * side // bins, math.ceil((i + 1) * side / bins)) for i in range(bins)]
        x = torch.stack([x.narrow(axis, first, last - first).mean(axis) for first, last in cuts], axis)
    return x


def _name_axes(model: "ModelProto", kind: Kind) -> None:
    """Give the open axes their names in place of the exporter's symbols, wherever a shape speaks of them."""
    graph = model.graph
    given = {value.name: value.type.tensor_type.shape.dim for value in graph.input}
    words = {given["x"][0].dim_param: "nodes" if kind.is_graph else "batch"}
    for index in kind.indices:
        _, axis, word = INDICES[index]
        words.setdefault(given[index][axis].dim_param, word)
    words.setdefault(graph.output[0].type.tensor_type.shape.dim[0].dim_param, f"{kind.rows}s")
    for value in (*graph.input, *graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in words:
                dim.dim_param = words[dim.dim_param]


def _tidy(model: "ModelProto", architecture: Architecture) -> None:
    """Say what the model is, and drop what the exporter notes of the machine it ran on (paths of files, stacks)."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        del value.metadata_props[:]
    model.graph.name = "archsmith"
    model.producer_name, model.producer_version = "archsmith", ""
    entry = model.metadata_props.add()
    entry.key, entry.value = "architecture", architecture.hash


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's remarks: that torchvision is absent, that something of torch calls something old of it."""
    logger: Any = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
