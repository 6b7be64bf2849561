"""Steps per second of a training with one thread and with two, alone and beside another, on two processors.

    python -m benchmarks.threads [--seconds 4] [--rounds 3] [--networks 3]

What it decided: the winner's full training shares the processors with the baseline's and does not take all of them
(`workers/phases/final_trainings.py`). The trainings are of random architectures of the preset `chain` on pictures of
28 x 28 with batches of 128, in processes of their own; the ways take turns, so that other load on the machine affects
all alike, and medians are shown.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for a trial's process; read when torch is loaded

import numpy as np
import torch
import torch.nn.functional as F

from space import presets
from space.build import build
from space.decision import Decision, Option
from space.space import Space

BATCH, SHAPE, CLASSES = 128, (1, 28, 28), 10
WAYS: dict[str, tuple[int, ...]] = {"1 thread": (1,), "2 threads": (2,), "two of 1": (1, 1), "2 beside 1": (2, 1)}
"""Threads of each training that runs at a time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", type=int, default=3)
    options = parser.parse_args()
    print("network  params  " + "  ".join(f"{way:>14}" for way in WAYS), "  (steps per second of each training)")
    for network in range(options.networks):
        rates = measured(network, seconds=options.seconds, rounds=options.rounds)
        cells = (f"{' + '.join(f'{rate:.2f}' for rate in rates[way]):>14}" for way in WAYS)
        params = sum(parameter.numel() for parameter in module_of(network).parameters())
        print(f"{network:>7}  {params:>6}  " + "  ".join(cells), flush=True)


def measured(network: int, *, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Median steps per second of each training of each way."""
    context, players = multiprocessing.get_context("spawn"), list[tuple[Connection, BaseProcess]]()
    for _ in range(2):
        here, there = context.Pipe()
        process = context.Process(target=_play, args=(there, network), daemon=True)
        process.start()
        players.append((here, process))
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, threads in WAYS.items():
            found[way].append(_turn([connection for connection, _ in players], threads, seconds))
    for connection, player in players:
        connection.send(None)
        player.join()
    return {way: [statistics.median(rates) for rates in zip(*turns, strict=True)] for way, turns in found.items()}


def _turn(players: Sequence[Connection], threads: Sequence[int], seconds: float) -> list[float]:
    playing = players[: len(threads)]
    for connection, count in zip(playing, threads, strict=True):
        connection.send((count, seconds))
    return [connection.recv() for connection in playing]


def _play(connection: Connection, network: int) -> None:
    """Answers (threads, seconds) with the steps per second, until it is told None."""
    module = module_of(network).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    x, y = torch.randn(BATCH, *SHAPE), torch.randint(CLASSES, (BATCH,))
    while (asked := connection.recv()) is not None:
        threads, seconds = asked
        torch.set_num_threads(threads)
        for _ in range(2):
            _step(module, optimizer, x, y)
        began, steps = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < seconds:
            _step(module, optimizer, x, y)
            steps += 1
        connection.send(steps / spent)


def _step(module: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(module(x), y).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def module_of(network: int) -> torch.nn.Module:
    """The module of the random architecture of this number, 0, 1, ..."""
    draws = np.random.default_rng(network)

    def choose(decision: Decision) -> Option:
        return decision.options[int(draws.integers(len(decision.options)))]

    space = Space.parse(presets.load("chain"), input_shape=SHAPE, classes=CLASSES)
    return build(space.sample(choose))


if __name__ == "__main__":
    main()
