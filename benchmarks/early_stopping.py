"""What early stopping saves on published learning curves, and what it costs.

    python -m benchmarks.early_stopping --curves curves_c10_200archs.csv.gz [--orders 100] [--trials 60] [--workers 8]

The file has one row an epoch: index, epoch and, by --column, a score (NAS-Bench-201's 200 epochs, for example). Each
order is a random sample of architectures, trained on simulated workers that take the next as they come free; every
epoch takes as long as every other. Shown, over the orders:

    epochs       share of the epochs that training every trial to its end takes
    best lost    share of the orders in which the best architecture was stopped
    regret       how far the best that was trained to its end is below the best there was: mean and largest, points
    top 3 lost   of the best three, how many were stopped, in the mean
"""

import argparse
import csv
import gzip
import heapq
import itertools
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search.stopping.early_stopping import Curves, EarlyStopping, rules

Array = npt.NDArray[np.float64]

KINDS = [
    (f"{scheduler}{f', hopeless (top {top})' if top else ''}", scheduler, top)
    for scheduler in ("none", "asha", "hyperband")
    for top in (0, 1, 3)
]
"""Name, scheduler, and of how many finalists the hopeless rule takes care; 0, there is no such rule."""


def read(path: Path, column: str) -> Array:
    """(architectures, epochs)."""
    curves: dict[int, dict[int, float]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            curves.setdefault(int(row["index"]), {})[int(row["epoch"])] = float(row[column])
    return np.array([[curve[epoch] for epoch in sorted(curve)] for _, curve in sorted(curves.items())])


def trained(curves: Array, stopping: EarlyStopping, workers: int) -> list[int]:
    """Epochs that each trial was trained for. curves: of the trials, in the order in which they start."""
    epochs = [0] * len(curves)
    waiting = iter(range(len(curves)))
    running = [(1, number) for number in itertools.islice(waiting, workers)]
    while running:
        clock, number = heapq.heappop(running)
        epochs[number] += 1
        done = epochs[number]
        why = stopping.judge(number, done, (float(curves[number, done - 1]),))
        if done < curves.shape[1] and why is None:
            heapq.heappush(running, (clock + 1, number))
        elif (following := next(waiting, None)) is not None:
            heapq.heappush(running, (clock + 1, following))
    return epochs


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One order."""

    epochs: float
    best_lost: bool
    regret: float
    top_lost: int


def measure(curves: Array, scheduler: str, top: int, workers: int) -> Row:
    whole = curves.shape[1]
    kinds = rules(scheduler, epochs=whole, stop_hopeless=top > 0, finalists=max(1, top))
    epochs = np.array(trained(curves, EarlyStopping(kinds, Curves()), workers))
    final = curves[:, -1]
    best = np.argsort(-final, kind="stable")[:3]
    finished = final[epochs == whole]
    return Row(
        epochs=float(epochs.sum() / curves.size),
        best_lost=bool(epochs[best[0]] < whole),
        regret=float(final.max() - finished.max()),
        top_lost=int((epochs[best] < whole).sum()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--column", default="c10_val")
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--workers", type=int, default=8)
    args = parser.parse_args()
    table = read(args.curves, args.column)
    print(f"{args.orders} orders of {args.trials} trials, {table.shape[1]} epochs, {args.workers} workers")
    print(f"{'':30}  epochs  best lost  regret mean  largest  top 3 lost")
    for name, scheduler, top in KINDS:
        rows = [
            measure(
                table[np.random.default_rng(seed).permutation(len(table))[: args.trials]], scheduler, top, args.workers
            )
            for seed in range(args.orders)
        ]
        epochs, lost = (statistics.fmean(values) for values in ([r.epochs for r in rows], [r.best_lost for r in rows]))
        regrets = [row.regret for row in rows]
        top_lost = statistics.fmean(row.top_lost for row in rows)
        regret = f"{statistics.fmean(regrets):11.3f}  {max(regrets):7.2f}"
        print(f"{name:30}  {epochs:6.2f}  {lost:9.2f}  {regret}  {top_lost:10.2f}", flush=True)


if __name__ == "__main__":
    main()
