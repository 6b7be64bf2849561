"""The trainer: a short, fast training of any network that maps (B, C, H, W) to (B, classes).

What makes it fast: the samples are on the device once and stay uint8; a batch is one gather that also shifts them;
normalisation, autocast and channels_last as calibrated; one fused optimiser step; no number is read back within an
epoch except a rare look at the loss. The recipe follows airbench (Jordan, arXiv 2404.00498) where it carries over to
architectures that are not known beforehand: label smoothing, a high learning rate that falls linearly, translation.

All randomness of an epoch comes from (seed, epoch), so a resumed training goes on exactly as an unbroken one.
"""

import ctypes
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archsmith.errors import TrialFailure
from search.trial import Measurement
from workers.augment import Windows, shift_for
from workers.datasets import Split

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""
LOOK_EVERY = 50
"""Steps between two looks at the loss; a diverged training is given up at the next look."""
SCORE_PIXELS = 2**20
"""Pixels in one evaluation batch: 1337 samples of 28 x 28, 256 of 64 x 64."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a network is trained.

    learning_rate: the peak of the one-cycle schedule. batch_size: made smaller where an epoch would have
    under min_steps steps (8 epochs of digits: 0.971 with batches of 128, 0.982 with 38).
    precision: "fp32", "bf16" or "fp16" (CUDA only). layout: "nchw" or "nhwc" (channels last in memory).
    augment: random shifts of the training samples; flip: random mirror images as well.
    threads: of this process, for a trial on the CPU.
    """

    epochs: int = 8
    batch_size: int = 128
    min_steps: int = 32
    learning_rate: float = 0.01
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    seed: int = 0
    augment: bool = True
    flip: bool = False
    precision: str = "fp32"
    layout: str = "nchw"
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """x: (N, C, H, W) uint8 or float32, y: (N,) int64, both on one device."""

    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, split: Split, device: str) -> "Samples":
        # A copy: the split may be a read-only view of a file or of an object store, which torch warns of.
        return cls(x=torch.tensor(split.x, device=device), y=torch.tensor(split.y, device=device))


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainData:
    """What a trial may see, on its device; made once per process and used by many trainers.

    val: None for a final training. mean, std: per channel, in the units of x.
    """

    train: Samples
    val: Samples | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    _windows: dict[tuple[int, bool], Windows] = field(default_factory=dict, repr=False, compare=False)

    def windows(self, *, shift: int, channels_last: bool) -> Windows:
        """The training samples as seen through moving windows; the padded copy is made once and kept."""
        key = (shift, channels_last)
        if key not in self._windows:
            self._windows.clear()
            self._windows[key] = Windows(self.train.x, shift=shift, channels_last=channels_last)
        return self._windows[key]

    @classmethod
    def on(
        cls, device: str, *, train: Split, val: Split | None, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> "TrainData":
        return cls(
            train=Samples.of(train, device), val=None if val is None else Samples.of(val, device), mean=mean, std=std
        )


def one_cycle(step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` of `steps`: linear up, then linear down to zero (arXiv 1708.07120)."""
    peak = max(1, round(WARM_UP * steps))
    return min((step + 1) / peak, (steps - step) / (steps - peak + 1))


@cache
def keep_freed_memory() -> None:
    """Tells the C library to keep what this process frees, up to 256 MiB, for the next step.

    Activations of a few megabytes are otherwise given back to the system and faulted in again at every step: 500 to
    2,600 page faults a step on the reference network, which was 9 to 22 % slower for it. Only glibc knows the call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 2**28)  # M_MMAP_THRESHOLD
        mallopt(-1, 2**28)  # M_TRIM_THRESHOLD


class Trainer:
    """Trains one network on one recipe, an epoch at a time. Raises TrialFailure (`diverged`, `out_of_memory`)."""

    def __init__(self, module: nn.Module, data: TrainData, recipe: Recipe) -> None:
        """The module's initial weights are the caller's: seed torch before building it."""
        if recipe.device == "cpu":
            torch.set_num_threads(recipe.threads)
            keep_freed_memory()
        self._recipe, self._data = recipe, data
        self._channels_last = recipe.layout == "nhwc"
        with _memory_guard():
            self._module = module.to(recipe.device)
            if self._channels_last:
                self._module = self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            shift = shift_for(*data.train.x.shape[2:]) if recipe.augment else 0
            self._windows = data.windows(shift=shift, channels_last=self._channels_last)
        samples = len(data.train.y)
        self._batch = min(samples, max(2, min(recipe.batch_size, samples // recipe.min_steps)))
        self._steps_per_epoch = max(1, samples // self._batch)
        self._optimizer = _optimizer(self._module, recipe)
        self._scaler = torch.amp.GradScaler(recipe.device, enabled=recipe.precision == "fp16")
        self._mean = torch.tensor(data.mean, device=recipe.device).view(1, -1, 1, 1)
        self._scale = 1.0 / torch.tensor(data.std, device=recipe.device).view(1, -1, 1, 1)
        self._epoch = 0

    @property
    def module(self) -> nn.Module:
        return self._module

    @property
    def epochs_done(self) -> int:
        return self._epoch

    def epoch(self) -> Measurement:
        """One pass over the training split, then the score on the validation split."""
        if self._data.val is None:
            raise ValueError("this trainer has no validation split; use train_epoch")
        start = time.perf_counter()
        loss = self.train_epoch()
        score = self._accuracy(self._data.val)
        return Measurement(epoch=self._epoch, score=score, train_loss=loss, seconds=time.perf_counter() - start)

    def train_epoch(self) -> float:
        """One pass over the training split; returns the mean loss (cross entropy with label smoothing, nats)."""
        if self._epoch >= self._recipe.epochs:
            raise ValueError(f"the recipe has {self._recipe.epochs} epochs and all are done")
        self._module.train()
        with _memory_guard(), self._seeded():
            loss = self._pass()
        self._epoch += 1
        return loss

    def score(self, split: Split) -> float:
        """Accuracy on `split`, a fraction 0 to 1."""
        with _memory_guard():
            samples = Samples.of(split, self._recipe.device)
        return self._accuracy(samples)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` of a trainer with the same network, data and recipe needs to go on."""
        return {
            "epoch": self._epoch,
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._epoch = int(state["epoch"])

    def _pass(self) -> float:
        total = torch.zeros((), device=self._recipe.device)
        for step, (x, y) in enumerate(self._batches(), start=1):
            total += self._step(x, y, step=self._epoch * self._steps_per_epoch + step - 1)
            if step % LOOK_EVERY == 0 or step == self._steps_per_epoch:
                self._check(float(total))
        return float(total) / self._steps_per_epoch

    def _step(self, x: Tensor, y: Tensor, *, step: int) -> Tensor:
        rate = self._recipe.learning_rate * one_cycle(step, self._recipe.epochs * self._steps_per_epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(self._logits(x), y, label_smoothing=self._recipe.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return loss.detach()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Each sample at most once, in an order of (seed, epoch); the last, smaller batch is left out."""
        generator = torch.Generator().manual_seed(self._epoch_seed(1))
        order = torch.randperm(len(self._data.train.y), generator=generator).to(self._recipe.device)
        for rows in order[: self._steps_per_epoch * self._batch].view(self._steps_per_epoch, self._batch):
            x = self._windows.batch(rows, flip=self._recipe.flip and self._recipe.augment, generator=generator)
            yield x, self._data.train.y[rows]

    def _logits(self, x: Tensor) -> Tensor:
        """(B, C, H, W) as stored -> (B, classes) float32."""
        x = (x.to(torch.float32) - self._mean) * self._scale
        if self._channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        dtype = PRECISIONS[self._recipe.precision]
        with torch.autocast(self._recipe.device.split(":")[0], dtype, enabled=dtype != torch.float32):
            logits: Tensor = self._module(x)
        return logits.float()

    @torch.inference_mode()
    def _accuracy(self, samples: Samples) -> float:
        self._module.eval()
        size = max(1, SCORE_PIXELS // math.prod(samples.x.shape[2:]))
        right = torch.zeros((), dtype=torch.int64, device=self._recipe.device)
        finite = torch.ones((), dtype=torch.bool, device=self._recipe.device)
        with _memory_guard():
            for start in range(0, len(samples.y), size):
                logits = self._logits(samples.x[start : start + size])
                right += (logits.argmax(1) == samples.y[start : start + size]).sum()
                finite &= logits.isfinite().all()
        if not finite:
            raise TrialFailure(f"outputs are not finite after epoch {self._epoch}", cause="diverged")
        return float(right) / len(samples.y)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialFailure(f"the loss is {loss} in epoch {self._epoch + 1}", cause="diverged")

    def _epoch_seed(self, stream: int) -> int:
        sequence = np.random.SeedSequence([self._recipe.seed, self._epoch, stream])
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """The global generators (dropout draws from them) on (seed, epoch) inside, as they were afterwards."""
        device = torch.device(self._recipe.device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self._epoch_seed(2))
            yield


def _optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices and kernels only, not on biases and norms."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)


@contextmanager
def _memory_guard() -> Iterator[None]:
    """Out of memory, on any device, as a TrialFailure. torch says it on the CPU with a plain RuntimeError."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(error) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise _out_of_memory(error) from error
        raise


def _out_of_memory(error: BaseException) -> TrialFailure:
    return TrialFailure((str(error) or "MemoryError").splitlines()[0][:200], cause="out_of_memory")
