"""Training throughput: our trainer, as calibrated, against the plain loop (DataLoader, fp32, NCHW), same threads.

    python -m benchmarks.throughput [--data FOLDER] [--threads 1] [--rounds 15] [--json]

The network is the reference one (conv 16-32-64, 3 x 3, batch norm, ReLU, max-pool), the batch 128, the data
Fashion-MNIST. Three players, each in a process of its own, take short turns, so that other load on the machine
affects all alike; medians are compared, and a turn begins with new weights.

- plain: a `Dataset` that turns one stored picture into a normalised float tensor, a `DataLoader`, the usual loop.
- prepared: the same loop on tensors that were normalised before the clock started (a `TensorDataset`).
- ours: stored bytes, shifted and normalised within the clock.

The goal is set for ours / plain. Ratios in processor time leave out the waiting on a busy machine.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for a trial's process; read when torch is loaded

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from workers.datasets import Dataset, DataStore, Split
from workers.datasets.ingest import ingest
from workers.measures.calibrate import Calibration, calibrate, reference_network
from workers.train.data import TrainData
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

BATCH = 128
SAMPLES = 5_120
"""Of one turn: 40 batches, half a second to a second."""
GOAL = 2.0
PLAYERS = ("plain", "prepared", "ours")


class Clock:
    """Seconds of wall clock and of this process's threads since it was made."""

    def __init__(self) -> None:
        self._start = (time.perf_counter(), time.process_time())

    def rates(self, images: int) -> tuple[float, float]:
        """Images per second of wall clock, and of processor time."""
        return images / (time.perf_counter() - self._start[0]), images / (time.process_time() - self._start[1])


class Pictures(TorchDataset[tuple[torch.Tensor, torch.Tensor]]):
    """One sample at a time, as a tutorial's `ToTensor` and `Normalize` do it."""

    def __init__(self, data: TrainData) -> None:
        self._x, self._y = data.train.x, data.train.y
        self._mean, self._std = (torch.tensor(v).view(-1, 1, 1) for v in (data.mean, data.std))

    def __len__(self) -> int:
        return len(self._y)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return (self._x[index].float() - self._mean) / self._std, self._y[index]


def plain_loop(samples: TorchDataset[Any], shape: tuple[int, int, int]) -> tuple[float, float]:
    """What a tutorial writes."""
    loader = DataLoader(samples, batch_size=BATCH, shuffle=True, drop_last=True)
    model = reference_network(shape, 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model.train()
    clock, total = Clock(), 0.0
    for images, targets in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item()
    return clock.rates(len(loader) * BATCH)


def our_trainer(data: TrainData, shape: tuple[int, int, int], choice: Calibration) -> tuple[float, float]:
    recipe = Recipe(
        epochs=1, batch_size=BATCH, precision=choice.precision, layout=choice.layout, threads=choice.threads
    )
    trainer = Trainer(reference_network(shape, 10), data, recipe)
    clock = Clock()
    trainer.train_epoch()
    return clock.rates(len(data.train.y) // BATCH * BATCH)


def player(pipe: Connection, who: str, dataset: Dataset, choice: Calibration) -> None:
    """The life of one process: plays a turn whenever it is asked to, until it is told None."""
    torch.set_num_threads(choice.threads)
    channels, height, width = dataset.info.input_shape
    shape = (channels, height, width)
    whole = dataset.search_train
    split = Split(x=whole.x[:SAMPLES], y=whole.y[:SAMPLES])
    data = TrainData.on("cpu", train=split, val=None, mean=dataset.mean, std=dataset.std)
    samples: TorchDataset[Any] = Pictures(data)
    if who == "prepared":
        samples = TensorDataset(torch.stack([samples[i][0] for i in range(SAMPLES)]), data.train.y)
    while pipe.recv():
        pipe.send(our_trainer(data, shape, choice) if who == "ours" else plain_loop(samples, shape))


def measure(dataset: Dataset, *, threads: int, rounds: int) -> dict[str, Any]:
    choice = calibrate(dataset.info.input_shape, threads=threads)
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    for who in PLAYERS:
        pipe, other = context.Pipe()
        context.Process(target=player, args=(other, who, dataset, choice), daemon=True).start()
        pipes.append(pipe)
    turns = [tuple(_turn(pipe) for pipe in pipes) for _ in range(rounds + 1)]
    for pipe in pipes:
        pipe.send(None)
    return summary(turns[1:], choice)  # the first one warms up


def _turn(pipe: Connection) -> tuple[float, float]:
    pipe.send("go")
    rates: tuple[float, float] = pipe.recv()
    return rates


def summary(turns: list[tuple[tuple[float, float], ...]], choice: Calibration) -> dict[str, Any]:
    wall, cpu = ([statistics.median(turn[who][clock] for turn in turns) for who in range(3)] for clock in range(2))
    return {
        "threads": choice.threads,
        "rounds": len(turns),
        "samples": SAMPLES,
        "calibration": choice.to_json(),
        "images_per_second": {who: round(rate) for who, rate in zip(PLAYERS, wall, strict=True)},
        "ratio": round(wall[2] / wall[0], 2),
        "ratio_to_prepared": round(wall[2] / wall[1], 2),
        "ratio_in_processor_time": round(cpu[2] / cpu[0], 2),
        "ratio_to_prepared_in_processor_time": round(cpu[2] / cpu[1], 2),
        "ratio_of_each_round": sorted(round(turn[2][0] / turn[0][0], 2) for turn in turns),
        "goal": GOAL,
    }


def show(result: dict[str, Any]) -> None:
    chosen = result["calibration"]
    setting = {"ours": f"{chosen['precision']} {chosen['layout']}"}
    print(f"threads {result['threads']}, {result['rounds']} rounds of {result['samples']} samples, medians")
    for who, rate in result["images_per_second"].items():
        print(f"  {who:<9}{rate:>8,} images/s   {setting.get(who, 'fp32 nchw')}")
    cpu, prepared_cpu = result["ratio_in_processor_time"], result["ratio_to_prepared_in_processor_time"]
    print(f"  ours / plain     {result['ratio']} (goal {result['goal']}), {cpu} in processor time")
    print(f"  ours / prepared  {result['ratio_to_prepared']}, {prepared_cpu} in processor time")
    print(f"  rounds: {', '.join(str(r) for r in result['ratio_of_each_round'])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    data = Path(os.environ.get("ARCHSMITH_DATA", "../shared/data"), "fashion_mnist")
    parser.add_argument("--data", type=Path, default=data, help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON line")
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"there is no folder {args.data}; give the one of Fashion-MNIST with --data or ARCHSMITH_DATA")
    with tempfile.TemporaryDirectory() as folder:
        store = DataStore(Path(folder))
        ingest("idx", args.data, name="fashion", store=store)
        result = measure(store.open("fashion", seed=0), threads=args.threads, rounds=args.rounds)
    if args.json:
        print(json.dumps(result))
    else:
        show(result)
    if result["ratio"] < GOAL:
        sys.exit(1)


if __name__ == "__main__":
    main()
