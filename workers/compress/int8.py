"""quantise_int8: 8-bit weights and activations, for a runtime that computes with them.

Post-training and static: the ranges of activations come from some training samples, those of weights are each output
channel's own (Jacob et al. 2018, Quantization and Training of Neural Networks). ONNX Runtime was chosen by measurement,
on a chain of 133,000 parameters trained on Fashion-MNIST, 3,000 validation samples, one thread of AVX2:

    float32, ONNX Runtime 1.31                     0.9247   537 kB   0.289 ms
    int8, ONNX Runtime 1.31                        0.9227   150 kB   0.164 ms
    int8 weights, torchao 0.18                     0.9247   541 kB   as float32 in torch
    int8 weights and activations, torchao 0.18     0.9247   542 kB   as float32 in torch

torchao's `quantize_` converts linear layers only, and nearly all of such a network is convolutions. (The network had
been trained on those samples, so only differences count.)
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from space.export import export_onnx
from space.kinds import KINDS
from space.third_party import third_party
from workers.compress.fine_tuner import FineTuner, StepOutput
from workers.compress.state import State

FILE = "model-int8.onnx"
BATCH = 64


def quantise_int8(state: State, tuner: FineTuner, *, samples: int) -> StepOutput:
    """An 8-bit version of the network as an ONNX file beside it; the network itself stays as it was.

    samples: number of training samples whose activations give the ranges. Raises ExportFailure, TrialFailure.
    """
    model = quantised(state, tuner, samples=samples)
    runs = session(model, state, tuner)
    kept = tuner.judge(lambda: tuner.score(state, runs))
    detail: dict[str, Any] = {"bytes": len(model)}
    if not tuner.deciding:
        detail |= tuner.latency(state, runs)
    return StepOutput(state=state, kept=kept, detail=detail, files={FILE: model} if kept else {})


def session(model: bytes, state: State, tuner: FineTuner) -> "Session":
    """The ONNX model as a module. Raises ExportFailure where ONNX Runtime does not load it."""
    return Session(model, ["x", *KINDS[state.architecture.data].indices], threads=tuner.recipe.threads)


def quantised(state: State, tuner: FineTuner, *, samples: int) -> bytes:
    """The bytes of the 8-bit ONNX model. Raises ExportFailure."""
    given = _Samples(tuner, state, samples)
    with TemporaryDirectory() as folder:
        plain, ready, made = (Path(folder) / name for name in ("plain.onnx", "ready.onnx", FILE))
        export_onnx(state.architecture, state.module(), plain)
        with third_party("onnxruntime.quantization"):
            quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready),
                str(made),
                given,
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        return made.read_bytes()


class Session(nn.Module):
    """An ONNX model as a module, for evaluation: inputs in order -> logits (B, classes). Raises ExportFailure."""

    def __init__(self, model: bytes, names: list[str], *, threads: int) -> None:
        super().__init__()
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        with third_party("ONNX Runtime"):
            self._session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._names = names
        self.nothing = nn.Parameter(torch.zeros(1))  # a trainer's optimizer needs a parameter

    def forward(self, *inputs: Tensor) -> Tensor:
        arrays = _arrays(self._names, inputs)
        with third_party("ONNX Runtime"):
            logits: np.ndarray = self._session.run(None, arrays)[0]
        return torch.from_numpy(logits).to(inputs[0].device)


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    """Training samples as the network sees them, in batches.

    The first batch is drawn here and not by the quantiser, where a bug of ours would pass for an error of its own.
    """

    def __init__(self, tuner: FineTuner, state: State, samples: int) -> None:
        self._names = ["x", *KINDS[state.architecture.data].indices]
        batches = _seen(tuner, state, samples)
        self._batches = chain([next(batches)], batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        inputs = next(self._batches, None)
        return None if inputs is None else _arrays(self._names, inputs)


def _arrays(names: list[str], inputs: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
    return {name: tensor.cpu().contiguous().numpy() for name, tensor in zip(names, inputs, strict=True)}


def _seen(tuner: FineTuner, state: State, samples: int) -> Iterator[tuple[Tensor, ...]]:
    left = samples
    for inputs in tuner.still(state).seen():
        if KINDS[state.architecture.data].is_graph:
            yield inputs
            return
        for first in range(0, min(left, len(inputs[0])), BATCH):
            yield tuple(tensor[first : first + BATCH] for tensor in inputs)
        left -= len(inputs[0])
        if left <= 0:
            return
