"""Thousands of random architectures of one space, each held to PyTorch: `make sweep`.

Every network is drawn with the space's constraints kept, built, compared with its analysis, written as JSON and back,
drawn, exported, and trained one step. Some are exported with an open batch, have their generated code compared, or are
run in ONNX Runtime; the last ones are chosen so that every operation that was met is among them. Ends with a table; the
exit status is 1 when anything failed, and each failure's architecture lies as JSON under the path that is printed.

Networks are numbered, and a number with the seed gives the same network always.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("draw", "build", "costs", "texts", "export", "train", "open", "code", "onnx")
CHUNK = 20
"""Networks between two reports of a process: some ten seconds."""
CHUNKS_PER_PROCESS = 25
"""After these a process is replaced, so that what torch keeps of 500 exports never adds up."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to draw from, and what to do with each network."""

    space: str
    shape: tuple[int, ...]
    seed: int
    folder: Path
    stages: tuple[str, ...]


@dataclass(kw_only=True)
class Tally:
    """What came of some networks: how many passed each stage and in how many seconds, what failed, what was met."""

    done: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)
    operations: dict[str, int] = field(default_factory=dict)
    """Operation -> the number of a network that holds it."""

    def add(self, other: "Tally") -> None:
        self.done += other.done
        self.seconds += other.seconds
        self.failures += other.failures
        self.hashes |= other.hashes
        self.operations = {**other.operations, **self.operations}


def work(task: tuple[Plan, Sequence[int]]) -> Tally:
    """Take the networks of these numbers through the stages of the plan, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    plan, numbers = task
    tally = Tally()
    for number in numbers:
        _through(plan, number, tally)
    return tally


def _through(plan: Plan, number: int, tally: Tally) -> None:
    """One network; the first stage that fails ends it."""
    from space.analysis import analyse
    from tests import exactness
    from tests.spaces import preset, sample

    architecture: Any = None
    module: Any = None

    def draw() -> None:
        nonlocal architecture
        space = preset(plan.space, plan.shape, classes=10)
        draws = random.Random(f"{plan.seed} {number}")
        while architecture is None:  # the space keeps few enough out that this ends
            drawn = sample(space, draws.getrandbits(64))
            architecture = drawn if space.feasible(analyse(drawn)) else None

    def build() -> None:
        nonlocal module
        module = exactness.fresh(architecture, number)

    steps: dict[str, Callable[[], None]] = {
        "draw": draw,
        "build": build,
        "costs": lambda: exactness.check_costs(architecture, module),
        "texts": lambda: exactness.check_texts(architecture),
        "train": lambda: exactness.check_training_step(architecture, module),
        "export": lambda: exactness.check_export(architecture, module),
        "open": lambda: exactness.check_program(architecture, module),
        "code": lambda: exactness.check_code(architecture, module),
        "onnx": lambda: exactness.check_onnx(architecture, module),
    }
    for stage in plan.stages:
        start = time.perf_counter()
        try:
            steps[stage]()
        except Exception:  # noqa: BLE001 - whatever it is, the sweep reports it and goes on
            tally.failures.append(_record(plan, number, stage, architecture))
            return
        tally.done[stage] += 1
        tally.seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]
    tally.hashes.add(architecture.hash)
    for node in architecture.nodes:
        tally.operations.setdefault(node.op, number)


def _record(plan: Plan, number: int, stage: str, architecture: Any) -> str:
    """Write the failing architecture and the traceback; one line for people."""
    plan.folder.mkdir(parents=True, exist_ok=True)  # an hour is long enough for a cleaner of temporary files
    path = plan.folder / f"{number}.json"
    path.write_text(json.dumps(architecture.to_json() if architecture else {}, indent=1))
    text = traceback.format_exc()
    path.with_suffix(".txt").write_text(text)
    return f"{stage} of network {number}: {text.strip().splitlines()[-1][:200]}\n    {path}"


def run(plan: Plan, numbers: Sequence[int], jobs: int, what: str) -> Tally:
    """All numbers over some processes, with a line that says how far it is."""
    tasks = [(plan, numbers[i : i + CHUNK]) for i in range(0, len(numbers), CHUNK)]
    tally, start, done = Tally(), time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=CHUNKS_PER_PROCESS) as pool:
        for number, part in enumerate(pool.imap_unordered(work, tasks), start=1):
            tally.add(part)
            done = min(number * CHUNK, len(numbers))
            _progress(what, done, len(numbers), time.monotonic() - start, len(tally.failures))
        pool.close()
        pool.join()
    return tally


def _progress(what: str, done: int, count: int, seconds: float, failed: int) -> None:
    """In place on a terminal, else a line for each tenth."""
    left = seconds / done * (count - done)
    line = f"{what}: {done:,} of {count:,}, {failed} failed, {seconds:.0f} s, about {left:.0f} s left"
    if sys.stdout.isatty():
        print(f"\r{line:<78}", end="" if done < count else "\n", flush=True)
    elif done * 10 // count != (done - CHUNK) * 10 // count or done == count:
        print(line, flush=True)


def chosen(count: int, among: Sequence[int], first: Sequence[int] = ()) -> list[int]:
    """`count` numbers: those of `first`, then evenly spread ones."""
    count = min(count, len(among))
    spread = (among[i * len(among) // count] for i in range(count))
    return list(dict.fromkeys([*first, *spread]))[: max(count, len(first))]


def table(tally: Tally) -> Iterator[str]:
    yield f"{'stage':<8}{'networks':>10}{'s each':>10}{'s in all':>10}"
    for stage in STAGES:
        if tally.done[stage]:
            each = tally.seconds[stage] / tally.done[stage]
            yield f"{stage:<8}{tally.done[stage]:>10,}{each:>10.3f}{tally.seconds[stage]:>10.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make sweep")
    parser.add_argument("--space", default="everything", help="a preset's name")
    parser.add_argument("--shape", default="3x32x32", help="of the input")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first network: a sweep may be run in parts")
    parser.add_argument("--open", type=int, default=1000, help="networks that are exported with an open batch")
    parser.add_argument("--code", type=int, default=500, help="networks whose generated code is compared")
    parser.add_argument("--onnx", type=int, default=200, help="networks that run in ONNX Runtime")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="archsmith-sweep-"))
    shape = tuple(int(side) for side in given.shape.split("x"))

    def plan(*stages: str) -> Plan:
        return Plan(space=given.space, shape=shape, seed=given.seed, folder=folder, stages=stages)

    numbers = range(given.first, given.first + given.count)
    # Exported before it is trained: a bare step of SGD makes numbers of one network in ten thousand that overflow, and
    # two programs that both give NaN cannot be compared.
    every = plan("draw", "build", "costs", "texts", "export", "train")
    tally = run(every, numbers, given.jobs, given.space)
    open_ = run(plan("draw", "build", "open"), chosen(given.open, numbers), given.jobs, "open batch")
    code = run(plan("draw", "build", "code"), chosen(given.code, numbers), given.jobs, "generated code")
    met = sorted(set(tally.operations.values()))
    onnx = run(plan("draw", "build", "onnx"), chosen(given.onnx, numbers, met), given.jobs, "ONNX Runtime")
    for part, stage in ((open_, "open"), (code, "code"), (onnx, "onnx")):
        tally.done[stage], tally.seconds[stage] = part.done[stage], part.seconds[stage]
        tally.failures += part.failures
    print("", *table(tally), sep="\n")
    print(f"\n{len(tally.hashes):,} different networks of {len(tally.operations)} operations: ", end="")
    print(", ".join(sorted(tally.operations)))
    print(f"{len(tally.failures)} failures, {time.monotonic() - start:.0f} s", *tally.failures[:50], sep="\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
