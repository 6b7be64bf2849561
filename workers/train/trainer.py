"""The trainer: a short, fast training of any network on any kind of data, one loop for all.

What makes it fast: the samples are on the device once, in their stored type; a batch is one gather that also shifts
them; normalisation, autocast and channels_last as calibrated; one fused optimiser step; no number is read back within
an epoch except a rare check of the loss. The recipe follows airbench (Jordan, arXiv 2404.00498) where it carries
over to architectures not known beforehand: label smoothing, a high learning rate that falls linearly,
translation.

Training is counted in gradient steps: a rung is a number of them after which the network is scored, by default after
each pass over the data. All random numbers come from (seed, pass, step within it), so a resumed training continues
exactly as an unbroken one.
"""

import copy
import itertools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from archsmith.errors import TrialFailure
from search.streams import Stream, seed_of
from search.trial import Measurement
from workers.conventions import score_name
from workers.train.answering import Answering
from workers.train.average import Average
from workers.train.data import AnySplit, Samples, TrainData, one_of, resized
from workers.train.graphs import Graphs
from workers.train.links import Links
from workers.train.maps import Maps
from workers.train.masks import Masks
from workers.train.memory import keep_freed_memory, memory_guard
from workers.train.metrics import METRICS, measures
from workers.train.nodes import Nodes
from workers.train.norms import recompute
from workers.train.optimizer import make_optimizer
from workers.train.recipe import Recipe
from workers.train.schedule import Schedule
from workers.train.shares import shares
from workers.train.task import Batch, Task

TASKS: dict[str, type[Maps] | type[Nodes] | type[Graphs] | type[Links]] = {
    "image": Maps,
    "volume": Maps,
    "series": Maps,
    "segmentation": Masks,
    "nodes": Nodes,
    "graphs": Graphs,
    "links": Links,
}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
State = dict[str, Any]

NORM_SHARE = 0.05
"""Samples from which batch norms are recomputed before a score, as a share of those that a rung trained on: without
gradients a sample costs about half of what it does in a training step, so about 3 % of the rung's time."""
NORM_SAMPLES = (128, 2048)
"""The fewest, as long as the rung trained on four times as many, and the most of them."""

FINAL_NORMS = (32_768, 16_384)
"""Of a training split that is larger than the first, a final training recomputes batch norms from as many samples as
the second: all of 950,000 pictures took minutes that no plan had set aside."""

CHECK_EVERY = 50
"""Steps between two checks of the loss; a diverged training ends at the next check."""


class Trainer:
    """Trains one network on one recipe, a rung at a time. Raises TrialFailure (`diverged`, `out_of_memory`)."""

    def __init__(self, module: nn.Module, data: TrainData, recipe: Recipe) -> None:
        """module: with its initial weights, so seed torch before building it; it is moved to the recipe's device.

        It maps the inputs of the task (`workers.train.maps`, `nodes`, `graphs`, `links`) to what the problem asks for
        (`workers.train.losses`), of classes logits (n, classes).
        """
        if recipe.device == "cpu":
            torch.set_num_threads(recipe.threads)
            keep_freed_memory()
        else:
            torch.cuda.reset_peak_memory_stats(recipe.device)
        self._recipe, self._stored, self._data = recipe, data, data.at(recipe.resolution)
        self._score_name = score_name(recipe.score, data.task, data.problem)
        self._answering = Answering(data, recipe)
        with memory_guard():
            self._module = module.to(recipe.device)
            if recipe.layout == "nhwc" and data.train.x.ndim > 3:
                layout = torch.channels_last if data.train.x.ndim == 4 else torch.channels_last_3d
                self._module = self._module.to(memory_format=layout)  # type: ignore[call-overload]
            self._task: Task = TASKS[data.task](self._data, recipe)
        self._schedule = Schedule(recipe, steps=self._task.steps)
        self._optimizer = make_optimizer(self._module, recipe)
        self._scaler = torch.amp.GradScaler(recipe.device, enabled=recipe.precision == "fp16")
        horizon = recipe.ema * max(self._schedule.rungs, default=0)
        self._average = Average(self._module, horizon=horizon) if horizon else None
        self._epoch = self._done = 0  # rungs, and gradient steps of the trunk
        self._trunk: State | None = None  # where the training goes on, while the module holds a branch
        self._open: tuple[int, Iterator[Batch]] = (-1, iter(()))  # the step of its next batch

    @property
    def module(self) -> nn.Module:
        return self._module

    @property
    def device(self) -> str:
        return self._recipe.device

    def example(self) -> tuple[Tensor, ...]:
        """The network's inputs for one sample as stored, see `one_of`: for images x (1, C, H, W) float32."""
        with memory_guard():
            [batch] = self._task.whole(one_of(self._stored.train, self._stored.task))
        return batch.inputs

    def seen(self) -> Iterator[tuple[Tensor, ...]]:
        """The network's inputs for the training samples, without augmentation and in order, in batches."""
        yield from (batch.inputs for batch in self._task.whole(self._data.train))

    @property
    def epochs_done(self) -> int:
        """Rungs that are done."""
        return self._epoch

    @property
    def steps(self) -> int:
        """Gradient steps of one pass over the data."""
        return self._task.steps

    def epoch(self) -> Measurement:
        """Trains up to the next rung, then takes the score on the validation split.

        For the score batch norms are recomputed on a few batches: with moving averages digits had 0.65 after one pass
        and 0.88 after two, recomputed 0.85 and 0.92. Training does not depend on these statistics.
        Raises ValueError without a validation split, or after the last rung of the recipe.
        """
        if self._data.val is None:
            raise ValueError("this trainer has no validation split; use train_epoch")
        start = time.perf_counter()
        loss = self._train(scored=True)
        score = self._score(self._data.val)
        return Measurement(epoch=self._epoch, score=score, train_loss=loss, seconds=time.perf_counter() - start)

    def train_epoch(self) -> float:
        """Trains up to the next rung; returns the mean of the recipe's loss, as a rule in nats.

        At the last rung the module is left as for a score, see `epoch`; before, with the weights of the training.
        Raises ValueError after the last rung of the recipe.
        """
        return self._train(scored=False)

    def pace(self, limit_s: float) -> float:
        """Estimated seconds of a pass over the data with a validation, from the steps that fit in `limit_s` seconds.

        The steps change the weights outside of the schedule, so a trainer that was timed is not trained further.
        """
        self._module.train()
        generator = torch.Generator().manual_seed(self._seed(Stream.BATCHES, 0))
        spent: list[float] = []
        last = self._schedule.rungs[0] - 1
        with memory_guard(), self._seeded(0):
            for step, batch in enumerate(self._task.batches(generator)):
                begun = time.perf_counter()
                # float reads the loss back, so a GPU has finished
                float(self._step(batch, rate=self._schedule.rate(min(step, last), 0)))
                spent.append(time.perf_counter() - begun)
                if sum(spent) > limit_s:
                    break
        each = sum(spent[1:]) / len(spent[1:]) if len(spent) > 1 else spent[0]  # the first one also prepares kernels
        return each * self._task.steps + self.score_seconds(limit_s)

    @torch.inference_mode()
    def score_seconds(self, limit_s: float) -> float:
        """Estimated seconds of a score on the validation split, from the batches that fit in `limit_s` seconds."""
        self._module.eval()
        begun, seen = time.perf_counter(), 0
        with memory_guard():
            for batch in () if self._data.val is None else self._task.whole(self._data.val):
                float(self._logits(batch).sum())  # read back, as above
                seen += len(batch.y)
                if time.perf_counter() - begun > limit_s:
                    break
        whole = 0 if self._data.val is None else len(self._data.val.y)
        return (time.perf_counter() - begun) * whole / max(1, seen)

    def score(self, split: AnySplit) -> float:
        """The recipe's score on `split`."""
        return self._score(self._put(split))

    def recompute_norms(self) -> None:
        """Recompute the statistics of batch norms on the training split, see `workers.train.norms` and FINAL_NORMS."""
        large, enough = FINAL_NORMS
        train = self._data.train
        self._recompute(self._task.whole(train) if len(train.y) <= large else self._task.few(enough))

    def _recompute(self, batches: Iterator[Batch]) -> None:
        dtype = PRECISIONS[self._recipe.precision]
        with memory_guard(), torch.autocast(self._recipe.device.split(":")[0], dtype, enabled=dtype != torch.float32):
            recompute(self._module, (batch.inputs for batch in batches))

    def final_score(self, split: AnySplit) -> tuple[float, dict[str, float]]:
        """The recipe's score on `split`, and all scores that apply, by name; errors in the units of the targets."""
        score, beside, _ = self.final_outcome(split)
        return score, beside

    def final_outcome(self, split: AnySplit) -> tuple[float, dict[str, float], Tensor | None]:
        """As `final_score`, from the same outputs with each sample's contribution, (n,) or None: `metrics.shares`."""
        return self.judged(*self.outputs(split))

    def outputs(self, split: AnySplit) -> tuple[Tensor, Tensor]:
        """What scores are taken of, see `Answering.scored`, and y, a row for each answer.

        In float32 as all forms of a bundle compute, whatever the training's precision: what is told is what ships.
        """
        return self._outputs(self._put(split), exact=True)

    def judged(self, outputs: Tensor, y: Tensor) -> tuple[float, dict[str, float], Tensor | None]:
        """As `final_outcome`, of what `outputs` returned."""
        score = METRICS[self._score_name](outputs, y)
        found = measures(outputs, y, task=self._data.task, problem=self._data.problem)
        return score, found, shares(self._score_name, outputs, y)

    def state_dict(self) -> State:
        """What `load_state_dict` of a trainer with the same network, data and recipe needs to continue.

        module: the weights that were scored last.
        """
        return {"epoch": self._epoch, "steps": self._done, "trunk": self._trunk, **self._weights()}

    def load_state_dict(self, state: State) -> None:
        """Continue from what `state_dict` returned. Raises RuntimeError where it is of another network."""
        self._put_back(state)
        self._epoch, self._trunk = int(state["epoch"]), state.get("trunk")
        # Checkpoints of 1.0 count passes alone.
        self._done = int(state.get("steps", self._epoch * self._task.steps))

    def _weights(self) -> State:
        return {
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }

    def _put_back(self, state: State) -> None:
        self._module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _train(self, *, scored: bool) -> float:
        """Up to the next rung: along the trunk and, before a score or at the end, along the branch to the rung."""
        rung = self._epoch
        if rung >= self._recipe.epochs:
            raise ValueError(f"the recipe has {self._recipe.epochs} epochs, and all of them are done")
        if self._trunk is not None:
            self._put_back(self._trunk)
            self._trunk = None
        begin, leave, end = self._done, self._schedule.branch(rung), self._schedule.rungs[rung]
        last = rung + 1 == self._recipe.epochs
        self._module.train()
        with memory_guard():
            total = self._run(begin, leave, rung)
            if not (scored or last):
                end = leave
            elif not last and (leave < end or self._average is not None):
                self._trunk = copy.deepcopy(self._weights())
            total += self._run(leave, end, rung)
            if scored or last:
                self._settle(end - begin)
        self._epoch, self._done = rung + 1, end if last else leave
        return total / max(1, end - begin)

    def _settle(self, steps: int) -> None:
        """Makes the module ready for a score after `steps` steps: averaged weights, recomputed batch norms."""
        if self._average is not None:
            self._average.put()
        seen = steps * len(self._data.train.y) * self._recipe.subset / self._task.steps
        fewest, most = NORM_SAMPLES
        self._recompute(self._task.few(math.ceil(min(most, max(NORM_SHARE * seen, min(fewest, seen / 4))))))

    def _run(self, start: int, stop: int, rung: int) -> float:
        """The steps start .. stop - 1 of the training; returns the sum of their losses."""
        total = torch.zeros((), device=self._recipe.device)
        while start < stop:
            turn, offset = divmod(start, self._task.steps)
            count = min(stop - start, self._task.steps - offset)
            with self._seeded(turn, *([offset] if offset else [])):
                for step, batch in enumerate(self._next_batches(start, count), start=start):
                    total += self._step(batch, rate=self._schedule.rate(step, rung))
                    if (step + 1 - start) % CHECK_EVERY == 0 or step + 1 == stop:
                        self._check(float(total))
            start += count
        return float(total)

    def _next_batches(self, start: int, count: int) -> Iterator[Batch]:
        """The batches of `count` steps from `start` on, all of one pass."""
        at, batches = self._open
        if at != start:
            turn, offset = divmod(start, self._task.steps)
            generator = torch.Generator().manual_seed(self._seed(Stream.BATCHES, turn))
            batches = self._task.batches(generator, skip=offset)
        yield from itertools.islice(batches, count)
        self._open = (start + count if (start + count) % self._task.steps else -1, batches)

    def _step(self, batch: Batch, *, rate: float) -> Tensor:
        """rate: share of the peak learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * rate
        loss = self._answering.loss(self._logits(batch), batch.y)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update()
        return loss.detach()

    def _logits(self, batch: Batch, *, exact: bool = False) -> Tensor:
        """The network's outputs, (n, classes) or (n, classes, ...) float32, a row for each y of the batch.

        exact: in float32, not in the recipe's precision.
        """
        dtype = torch.float32 if exact else PRECISIONS[self._recipe.precision]
        with torch.autocast(self._recipe.device.split(":")[0], dtype, enabled=dtype != torch.float32):
            logits: Tensor = self._module(*batch.inputs)
        return (logits if batch.rows is None else logits[batch.rows]).float()

    def _put(self, split: AnySplit) -> Samples:
        with memory_guard():
            samples = Samples.of(split, self._recipe.device)
            return samples if self._data is self._stored else resized(samples, max(self._data.train.shape[1:]))

    def _score(self, samples: Samples) -> float:
        return METRICS[self._score_name](*self._outputs(samples))

    @torch.inference_mode()
    def _outputs(self, samples: Samples, *, exact: bool = False) -> tuple[Tensor, Tensor]:
        """As `outputs`, of samples on the device. exact: see `_logits`."""
        self._module.eval()
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        with memory_guard():
            for batch in self._task.whole(samples):
                outputs = self._logits(batch, exact=exact)
                parts.append((self._answering.scored(outputs), batch.y, outputs.isfinite().all().view(1)))
            scored, y, finite = (torch.cat(column) for column in zip(*parts, strict=True))
        if not finite.all():
            raise TrialFailure(f"outputs are not finite after epoch {self._epoch}", cause="diverged")
        return scored, y

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialFailure(f"the loss is {loss} in epoch {self._epoch + 1}", cause="diverged")

    def _seed(self, purpose: Stream, *numbers: int) -> int:
        return seed_of(purpose, self._recipe.seed, *numbers)

    @contextmanager
    def _seeded(self, *numbers: int) -> Iterator[None]:
        """Seeds the global generators, which dropout uses, by (seed, pass[, step]), and restores them afterwards."""
        device = torch.device(self._recipe.device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self._seed(Stream.DROPOUT, *numbers))
            yield
