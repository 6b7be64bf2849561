"""The trainer: a short, fast training of any network on any kind of data, one loop for all.

What makes it fast: the samples are on the device once, in their stored type; a batch is one gather that also shifts
them; normalisation, autocast and channels_last as calibrated; one fused optimiser step; no number is read back within
an epoch except a rare check of the loss. The recipe follows airbench (Jordan, arXiv 2404.00498) where it carries
over to architectures not known beforehand: label smoothing, a high learning rate that falls linearly,
translation.

All random numbers of an epoch come from (seed, epoch), so a resumed training continues exactly as an unbroken one.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archsmith.errors import TrialFailure
from search.streams import Stream, seed_of
from search.trial import Measurement
from workers.conventions import score_name
from workers.train.data import AnySplit, Samples, TrainData, one_of
from workers.train.graphs import Graphs
from workers.train.links import Links
from workers.train.maps import Maps
from workers.train.memory import keep_freed_memory, memory_guard
from workers.train.metrics import METRICS, measures
from workers.train.nodes import Nodes
from workers.train.norms import recompute
from workers.train.optimizer import make_optimizer, one_cycle
from workers.train.recipe import Recipe
from workers.train.shares import shares
from workers.train.task import Batch, Task

TASKS: dict[str, type[Maps] | type[Nodes] | type[Graphs] | type[Links]] = {
    "image": Maps,
    "volume": Maps,
    "nodes": Nodes,
    "graphs": Graphs,
    "links": Links,
}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CHECK_EVERY = 50
"""Steps between two checks of the loss; a diverged training ends at the next check."""


class Trainer:
    """Trains one network on one recipe, an epoch at a time. Raises TrialFailure (`diverged`, `out_of_memory`)."""

    def __init__(self, module: nn.Module, data: TrainData, recipe: Recipe) -> None:
        """module: with its initial weights, so seed torch before building it; it is moved to the recipe's device.

        It maps the inputs of the task (`workers.train.maps`, `nodes`, `graphs`, `links`) to logits (n, classes).
        """
        if recipe.device == "cpu":
            torch.set_num_threads(recipe.threads)
            keep_freed_memory()
        else:
            torch.cuda.reset_peak_memory_stats(recipe.device)
        self._recipe, self._data = recipe, data
        self._score_name = score_name(recipe.score, data.task)
        with memory_guard():
            self._module = module.to(recipe.device)
            if recipe.layout == "nhwc" and data.train.x.ndim > 2:
                layout = torch.channels_last if data.train.x.ndim == 4 else torch.channels_last_3d
                self._module = self._module.to(memory_format=layout)  # type: ignore[call-overload]
            self._task: Task = TASKS[data.task](data, recipe)
        self._optimizer = make_optimizer(self._module, recipe)
        self._scaler = torch.amp.GradScaler(recipe.device, enabled=recipe.precision == "fp16")
        self._epoch = 0

    @property
    def module(self) -> nn.Module:
        return self._module

    @property
    def device(self) -> str:
        return self._recipe.device

    def example(self) -> tuple[Tensor, ...]:
        """The network's inputs for one sample, see `one_of`: for images x (1, C, H, W) float32."""
        with memory_guard():
            [batch] = self._task.whole(one_of(self._data.train, self._data.task))
        return batch.inputs

    def seen(self) -> Iterator[tuple[Tensor, ...]]:
        """The network's inputs for the training samples, without augmentation and in order, in batches."""
        yield from (batch.inputs for batch in self._task.whole(self._data.train))

    @property
    def epochs_done(self) -> int:
        return self._epoch

    def epoch(self) -> Measurement:
        """One pass over the training split, then the score on the validation split, a fraction 0 to 1.

        Raises ValueError without a validation split, or after the last epoch of the recipe.
        """
        if self._data.val is None:
            raise ValueError("this trainer has no validation split; use train_epoch")
        start = time.perf_counter()
        loss = self.train_epoch()
        score = self._score(self._data.val)
        return Measurement(epoch=self._epoch, score=score, train_loss=loss, seconds=time.perf_counter() - start)

    def train_epoch(self) -> float:
        """One pass over the training split; returns the mean loss (cross entropy with label smoothing, nats).

        Raises ValueError after the last epoch of the recipe.
        """
        if self._epoch >= self._recipe.epochs:
            raise ValueError(f"the recipe has {self._recipe.epochs} epochs, and all of them are done")
        self._module.train()
        with memory_guard(), self._seeded():
            loss = self._pass()
        self._epoch += 1
        return loss

    def pace(self, limit_s: float) -> float:
        """Estimated seconds of an epoch with its validation, from the steps that fit in `limit_s` seconds.

        The steps change the weights outside of the schedule, so a trainer that was timed is not trained further.
        """
        self._module.train()
        generator = torch.Generator().manual_seed(self._epoch_seed(Stream.BATCHES))
        spent: list[float] = []
        with memory_guard(), self._seeded():
            for step, batch in enumerate(self._task.batches(generator)):
                begun = time.perf_counter()
                float(self._step(batch, step=step))  # reads the loss back, so a GPU has finished
                spent.append(time.perf_counter() - begun)
                if sum(spent) > limit_s:
                    break
        begun = time.perf_counter()
        if self._data.val is not None:
            self._score(self._data.val)
        each = sum(spent[1:]) / len(spent[1:]) if len(spent) > 1 else spent[0]  # the first one also prepares kernels
        return each * self._task.steps + time.perf_counter() - begun

    def score(self, split: AnySplit) -> float:
        """The recipe's score on `split`, a fraction 0 to 1."""
        return self._score(self._put(split))

    def recompute_norms(self) -> None:
        """Recompute the statistics of batch norms on the whole training split, see `workers.train.norms`."""
        dtype = PRECISIONS[self._recipe.precision]
        with memory_guard(), torch.autocast(self._recipe.device.split(":")[0], dtype, enabled=dtype != torch.float32):
            recompute(self._module, (batch.inputs for batch in self._task.whole(self._data.train)))

    def final_score(self, split: AnySplit) -> tuple[float, dict[str, float]]:
        """The recipe's score on `split`, and all scores that apply, by name; fractions 0 to 1."""
        score, beside, _ = self.final_outcome(split)
        return score, beside

    def final_outcome(self, split: AnySplit) -> tuple[float, dict[str, float], Tensor | None]:
        """As `final_score`, from the same outputs with each sample's contribution, (n,) or None: `metrics.shares`."""
        logits, y = self._outputs(self._put(split))
        score = METRICS[self._score_name](logits, y)
        return score, measures(logits, y, task=self._data.task), shares(self._score_name, logits, y)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` of a trainer with the same network, data and recipe needs to continue."""
        return {
            "epoch": self._epoch,
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned. Raises RuntimeError where it is of another network."""
        self._module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._epoch = int(state["epoch"])

    def _pass(self) -> float:
        steps = self._task.steps
        total = torch.zeros((), device=self._recipe.device)
        generator = torch.Generator().manual_seed(self._epoch_seed(Stream.BATCHES))
        for step, batch in enumerate(self._task.batches(generator), start=1):
            total += self._step(batch, step=self._epoch * steps + step - 1)
            if step % CHECK_EVERY == 0 or step == steps:
                self._check(float(total))
        return float(total) / steps

    def _step(self, batch: Batch, *, step: int) -> Tensor:
        rate = self._recipe.learning_rate * one_cycle(step, self._recipe.epochs * self._task.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(self._logits(batch), batch.y, label_smoothing=self._recipe.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return loss.detach()

    def _logits(self, batch: Batch) -> Tensor:
        """(n, classes) float32, a row for each y of the batch."""
        dtype = PRECISIONS[self._recipe.precision]
        with torch.autocast(self._recipe.device.split(":")[0], dtype, enabled=dtype != torch.float32):
            logits: Tensor = self._module(*batch.inputs)
        return (logits if batch.rows is None else logits[batch.rows]).float()

    def _put(self, split: AnySplit) -> Samples:
        with memory_guard():
            return Samples.of(split, self._recipe.device)

    def _score(self, samples: Samples) -> float:
        return METRICS[self._score_name](*self._outputs(samples))

    @torch.inference_mode()
    def _outputs(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) float32 and y (n,)."""
        self._module.eval()
        with memory_guard():
            parts = [(self._logits(batch), batch.y) for batch in self._task.whole(samples)]
            logits, y = (torch.cat(column) for column in zip(*parts, strict=True))
        if not logits.isfinite().all():
            raise TrialFailure(f"outputs are not finite after epoch {self._epoch}", cause="diverged")
        return logits, y

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialFailure(f"the loss is {loss} in epoch {self._epoch + 1}", cause="diverged")

    def _epoch_seed(self, purpose: Stream) -> int:
        return seed_of(purpose, self._recipe.seed, self._epoch)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Seeds the global generators, which dropout uses, by (seed, epoch), and restores them afterwards."""
        device = torch.device(self._recipe.device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self._epoch_seed(Stream.DROPOUT))
            yield
