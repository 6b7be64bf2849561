"""The exporter: a trained network as an ONNX model or a program of torch.export, for batches of any size.

It uses torch.export, not torch's older tracer (`dynamo=False`). The tracer is ten times faster, but deprecated; it
refuses a seventh of the operations here (those that scatter, and pooling to sides that do not divide) and leaves out
inputs that a network does not read. A model is exported once, so the lasting way is worth its time: about a second for
50 nodes.
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
from space.third_party import ExportFailure, third_party

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram

OPSET = 18
"""The lowest that the exporter writes, so that most runtimes can read it (ONNX 1.13, December 2022)."""

INDICES: Mapping[str, tuple[Tensor, int, str]] = {
    "edges": (torch.tensor([[0, 1, 1, 2, 4], [1, 0, 2, 1, 3]]), 1, "edges"),
    "graph": (torch.tensor([0, 0, 0, 1, 1, 2]), 0, "nodes"),
    "pairs": (torch.tensor([[0, 3, 5], [1, 4, 2]]), 1, "pairs"),
}
"""Index -> an example of 6 nodes for the export; its dynamic axis; the name of that axis in the model."""


def export_onnx(architecture: Architecture, module: nn.Module, path: Path) -> None:
    """Write the network for inference in float32, in one file with its weights; the model is checked before.

    module: with the architecture's state dict, on the CPU; its training mode is left as it was.
    The inputs of the model are x and, for graph data, edges, graph, pairs, as `space.kinds` lists them, whether the
    network reads them or not; the output is logits. Dynamic axes are batch (images, volumes), nodes, edges, pairs.
    Raises ExportFailure if the exporter fails, or if the network exceeds the 2 GB that one ONNX file can hold.
    """
    _check_size(module.state_dict())
    path.write_bytes(onnx_bytes(architecture, to_program(architecture, module)))


def onnx_bytes(architecture: Architecture, program: "ExportedProgram") -> bytes:
    """What `export_onnx` writes. program: the network, from `to_program`. Raises ValueError as `export_onnx` does."""
    import onnx

    _check_size(program.state_dict)
    model = to_onnx(architecture, program)
    with third_party("onnx"):
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
    return data


def _check_size(state: Mapping[str, Tensor]) -> None:
    needed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if needed >= 2**31 - 2**20:
        raise ExportFailure(f"an ONNX file holds less than 2 GB, the weights take {needed / 1e9:.1f} GB")


def program_bytes(program: "ExportedProgram") -> bytes:
    """The program as a `.pt2` archive for `torch.export.load`; the same network gives the same bytes.

    What the exporter records about the machine (stack traces with file paths) is left out, and so are the example
    inputs. It is written to a buffer, because the archive's inner folder is named after the file.
    """
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    program.example_inputs = None
    buffer = io.BytesIO()
    with third_party("torch.export"):
        torch.export.save(program, buffer)
    return buffer.getvalue()


def to_onnx(architecture: Architecture, program: "ExportedProgram") -> "ModelProto":
    """The model that `export_onnx` writes, not checked. program: from `to_program`."""
    kind = KINDS[architecture.data]
    with _quietly(), third_party("torch.onnx"):
        made = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=["x", *kind.indices],
            output_names=["logits"],
            verbose=False,
        )
    assert made is not None  # noqa: S101 - the exporter returns the model if it is given no path
    model = made.model_proto
    _name_axes(model, kind)
    _tidy(model, architecture)
    return model


def to_program(architecture: Architecture, module: nn.Module) -> "ExportedProgram":
    """The network for inference as a program of torch.export, with the same dynamic axes as the ONNX model."""
    kind, training = KINDS[architecture.data], module.training
    open_ = torch.export.Dim.DYNAMIC
    x = torch.zeros(6 if kind.is_graph else 2, *architecture.input_shape)
    inputs = (x, *(INDICES[index][0] for index in kind.indices))
    axes = ({0: open_}, *({INDICES[index][1]: open_} for index in kind.indices))
    pool = torch.ops.aten.adaptive_avg_pool3d.default
    with torch.no_grad(), _quietly(), third_party("torch.export"):
        try:
            program: ExportedProgram = torch.export.export(module.eval(), inputs, dynamic_shapes=(axes,), strict=False)
        finally:
            module.train(training)
        if any(node.target is pool for node in program.graph.nodes):
            program = program.run_decompositions({pool: _pool_by_slices})
    return program


def _pool_by_slices(x: Tensor, size: list[int]) -> Tensor:
    """Adaptive average pooling (B, C, D, H, W) -> (B, C, *size), which the exporter supports in two dimensions only.

    The mean over a box is the mean of means along each of its sides, so one side is pooled after the other.
    """
    for axis, bins in zip((2, 3, 4), size, strict=True):
        side = int(x.shape[axis])
        cuts = [(i * side // bins, math.ceil((i + 1) * side / bins)) for i in range(bins)]
        x = torch.stack([x.narrow(axis, first, last - first).mean(axis) for first, last in cuts], axis)
    return x


def _name_axes(model: "ModelProto", kind: Kind) -> None:
    """Name the dynamic axes, in place of the exporter's symbols, in all shapes that have them."""
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
    """Set the model's metadata, and remove what the exporter records about the machine (file paths, stack traces)."""
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
    """Without the exporter's warnings: that torchvision is missing, and torch's own calls of deprecated functions."""
    logger: Any = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
