"""The zero-cost ranking: which random starts a surrogate controller proposes first (its option `warm: "zero_cost"`).

    the controller's pool -> 64 architectures -> proxies, on the cluster -> proxies.json -> a guess for each

The file is in the job's folder, beside checkpoints and weights, and is written once, when the measurement is complete:
a new driver reads the same numbers, so the controller stays a function of what is stored. It is not in the ledger
because it can be measured again: that is needed only while starts are left to propose.
"""

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import TrialFailure
from search.spec import JobSpec
from search.streams import Stream, generator, seed_of
from search.surrogate.controller import SurrogateController
from search.surrogate.posterior import Key
from search.surrogate.zero_cost import COLUMNS, chosen, combined
from space.analysis import analyse
from space.architecture import Architecture
from space.space import replay
from workers.atomic import write_whole
from workers.cluster import connection
from workers.cluster.tasks import run_tasks
from workers.datasets import Dataset, Split
from workers.stop_signal import StopSignal
from workers.train.job_data import JobData, search_data

log = logging.getLogger(__name__)

FILE = "proxies.json"

MEASURED = 64
"""Architectures of the pool that are measured, at most."""

FEWEST = 16
"""With fewer measured in time, the best of them are a worse guess than the largest of the whole pool."""

SHARE = 0.05
"""Share of the budget's seconds, at most. A reproducible job measures all of them, since no clock may decide there."""

CHUNK, START_S = 32, 5.0
"""Architectures per process, and seconds until a process starts. A process that dies loses its measurements."""

BATCH = 64
"""Samples per proxy, as in the published measurements. For graphs: the nodes and edges of one evaluation batch."""

Row = dict[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyTask:
    """Some of the architectures: (hash, JSON). seconds: after which no further one is started; None = no limit."""

    architectures: tuple[tuple[str, dict[str, Any]], ...]
    seconds: float | None
    seed: int
    device: str
    threads: int


def measure(task: ProxyTask, data: JobData) -> dict[str, Row]:
    """Hash -> proxies by name. Runs in a process of the cluster; all networks are initialised from the same seed."""
    import torch

    from space.build import build
    from workers.measures import proxies

    torch.set_num_threads(task.threads)
    inputs, began = _inputs(data, task.device), time.monotonic()
    rows: dict[str, Row] = {}
    for hash_, architecture in task.architectures:
        if task.seconds is not None and time.monotonic() - began >= task.seconds:
            break
        torch.manual_seed(task.seed)
        module = build(Architecture.from_json(architecture)).to(task.device)
        rows[hash_] = proxies.measured(module, inputs)
    return rows


def _inputs(data: JobData, where: str) -> Sequence[Any]:
    """The network's inputs for the first batch of training samples, normalised as the trainer does it."""
    from workers.train.data import TrainData
    from workers.train.recipe import Recipe
    from workers.train.trainer import TASKS

    seen = TrainData.on(
        where, task=data.task, train=data.train, val=None, mean=data.mean, std=data.std, problem=data.problem
    )
    task = TASKS[data.task](seen, Recipe(device=where, augment=0.0))
    return next(iter(task.whole(seen.train))).inputs


@dataclass(frozen=True, kw_only=True, slots=True)
class ZeroCostRanking:
    """The ranking of one job. folder: the job's."""

    spec: JobSpec
    dataset: Dataset
    folder: Path
    stop: StopSignal

    def guesses(self, controller: SurrogateController) -> dict[Key, float]:
        """A guess for each measured architecture of the controller's pool, by the key of its choices.

        Empty where too few were measured in time, or the search has to stop.
        """
        found = _picked(controller)
        hashes = {architecture.hash: architecture for architecture in found.values()}
        rows = self._known(hashes)
        if len(rows) < min(FEWEST, len(hashes)):
            log.warning(
                "only %d of %d architectures measured in time: ranking starts by parameters", len(rows), len(hashes)
            )
            return {}
        for hash_, row in rows.items():
            row["macs"] = analyse(hashes[hash_]).macs
        values = combined({hash_: row.get(name) for hash_, row in rows.items()} for name in COLUMNS)
        return {key: values[graph.hash] for key, graph in found.items() if graph.hash in values}

    def _known(self, hashes: Mapping[str, Architecture]) -> dict[str, Row]:
        """The proxies of these architectures, from the file if it is there, else measured and written to it."""
        path = self.folder / FILE
        if path.is_file():
            stored: dict[str, Row] = json.loads(path.read_text(encoding="utf-8"))
            return {hash_: row for hash_, row in stored.items() if hash_ in hashes}
        rows = self._measured(hashes)
        if not self.stop.stopping:
            write_whole(path, json.dumps(rows))
        return rows

    def _measured(self, hashes: Mapping[str, Architecture]) -> dict[str, Row]:
        spec, began = self.spec, time.monotonic()
        limit = math.inf if spec.reproducible else SHARE * spec.budget.seconds
        tasks = self._tasks([(hash_, graph.to_json()) for hash_, graph in hashes.items()], limit)
        rows: dict[str, Row] = {}
        for _, result in run_tasks(
            measure,
            tasks,
            shared=_one_batch(self.dataset, spec.seed),
            cpus=spec.trial.cpus,
            gpus=spec.trial.gpus,
            should_stop=lambda: self.stop.stopping or time.monotonic() - began >= limit,
        ):
            if isinstance(result, TrialFailure):
                log.warning("no proxies: %s", result)
            else:
                rows |= result
        log.info("proxies of %d architectures in %.1f s", len(rows), time.monotonic() - began)
        return rows

    def _tasks(self, named: Sequence[tuple[str, dict[str, Any]]], limit: float) -> list[ProxyTask]:
        """Deals large and random architectures out to the processes; no task where there is no time to start one."""
        slots = connection.slots(self.spec.trial.cpus, self.spec.trial.gpus)
        count = max(min(slots, len(named)), math.ceil(len(named) / CHUNK))
        seconds = limit / math.ceil(count / slots) - START_S
        if seconds <= 0:
            return []
        return [
            ProxyTask(
                architectures=tuple(pair for place, pair in enumerate(named) if place // 2 % count == first),
                seconds=seconds if math.isfinite(seconds) else None,
                seed=seed_of(Stream.PROXIES, self.spec.seed),
                device=self.spec.trial.device,
                threads=self.spec.trial.threads,
            )
            for first in range(count)
        ]


def _picked(controller: SurrogateController) -> dict[Key, Architecture]:
    """The architectures to measure by the key of their choices, most important first."""
    pool = list({draw.key: draw for draw in controller.pool if not draw.violation}.values())
    picked = [pool[place] for place in chosen([draw.size for draw in pool], MEASURED)]
    return {draw.key: controller.space.sample(replay(draw.choices)) for draw in picked}


def _one_batch(dataset: Dataset, seed: int) -> JobData:
    """The search's data with one batch of the training split and no validation split, to send less to the workers."""
    data = search_data(dataset)
    train = data.train
    if isinstance(train, Split):
        rng = generator(Stream.PROXY_BATCH, seed)
        rows = np.sort(rng.choice(len(train), min(BATCH, len(train)), replace=False))
        train = Split(x=train.x[rows], y=train.y[rows])
    return replace(data, key=f"{data.key}/proxies", train=train, val=None)
