"""The exported forms of the trained network: a program of torch.export, an ONNX model, and the logits both must give.

Made in a process of its own on the cluster: torch's exporters take seconds and some hundred megabytes. They may fail
for an unforeseen network; then the bundle goes without that form and says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from space.third_party import ExportFailure, third_party
from workers.bundle.example import apart, example, within
from workers.bundle.manifest import TOLERANCES, Array, Manifest, Preprocessing

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from space.architecture import Architecture

PROGRAM, ONNX, EXAMPLE = "model.pt2", "model.onnx", "example.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportTask:
    """architecture: as JSON. weights: the bytes of a safetensors file."""

    architecture: dict[str, Any]
    weights: bytes
    preprocessing: Preprocessing


@dataclass(frozen=True, kw_only=True, slots=True)
class Exports:
    """files: name -> bytes, of EXAMPLE and the exported forms. left_out: name -> why there is no such file."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def none(cls, reason: str) -> "Exports":
        return cls(left_out={PROGRAM: reason, ONNX: reason, EXAMPLE: reason})


def export(task: ExportTask, _: None = None) -> Exports:
    """All forms of one network. Each was loaded again and compared with the network's logits on the stored example.

    A form that cannot be made, does not load or run, or gives other logits is left out.
    """
    import torch
    from safetensors.torch import load, save

    from space.architecture import Architecture
    from space.build import build

    architecture = Architecture.from_json(task.architecture)
    module = build(architecture)
    module.load_state_dict(load(task.weights))
    module.eval()
    manifest = Manifest.of(architecture, task.preprocessing, {})
    raw = example(manifest)
    inputs = network_inputs(manifest, raw)
    with torch.no_grad():
        logits = module(*(torch.from_numpy(value) for value in inputs.values()))
    tensors = {**{name: torch.from_numpy(value.copy()) for name, value in raw.items()}, "logits": logits}
    files, left_out = _forms(architecture, module, inputs, logits.numpy())
    return Exports(files={EXAMPLE: save(tensors), **files}, left_out=left_out)


def network_inputs(manifest: Manifest, raw: Mapping[str, Array]) -> dict[str, Array]:
    """The network's inputs in order: x as in the training, (B, C, …) or (N, F) float32, then the indices of graphs.

    raw: the same with x as in the data set.
    """
    return {**raw, "x": manifest.prepared(raw["x"])}


def _forms(
    architecture: "Architecture", module: "nn.Module", inputs: Mapping[str, Array], logits: Array
) -> tuple[dict[str, bytes], dict[str, str]]:
    from space.export import onnx_bytes, program_bytes, to_program

    files: dict[str, bytes] = {}
    left_out: dict[str, str] = {}
    traced: list[ExportedProgram] = []

    def program() -> bytes:
        traced.append(to_program(architecture, module))
        return program_bytes(traced[0])

    def onnx() -> bytes:
        return onnx_bytes(architecture, traced[0] if traced else to_program(architecture, module))

    made: dict[str, tuple[Callable[[], bytes], Callable[[bytes, Mapping[str, Array]], Array]]] = {
        PROGRAM: (program, run_program),
        ONNX: (onnx, run_onnx),
    }
    for name, (make, run) in made.items():
        try:
            data = make()
            found = run(data, inputs)
        except ExportFailure as failure:
            left_out[name] = str(failure)
            continue
        if within(found, logits, TOLERANCES[name]):
            files[name] = data
        else:
            away = apart(found, logits)
            left_out[name] = f"its logits are {away:.1e} from the network's, {TOLERANCES[name]:g} is allowed"
    return files, left_out


def run_program(data: bytes, inputs: Mapping[str, Array]) -> Array:
    """The logits (rows, classes) of a program of torch.export for these `network_inputs`. Raises ExportFailure."""
    import io

    import torch

    tensors = [torch.from_numpy(value) for value in inputs.values()]
    with torch.no_grad(), third_party("torch.export"):
        logits: Array = torch.export.load(io.BytesIO(data)).module()(*tensors).numpy()
    return logits


def run_onnx(data: bytes, inputs: Mapping[str, Array]) -> Array:
    """The logits (rows, classes) of an ONNX model, by ONNX Runtime on one thread. No code of the model's maker runs.

    Raises ExportFailure for a model that does not load or run, or that wants an input that `inputs` does not have.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with third_party("ONNX Runtime"):
        session = InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    missing = [name for name in names if name not in inputs]
    if missing:
        raise ExportFailure(
            f"the model takes an input {missing[0]!r}, a network of this kind takes {', '.join(inputs)}"
        )
    with third_party("ONNX Runtime"):
        logits: Array = session.run(["logits"], {name: inputs[name] for name in names})[0]
    return logits
