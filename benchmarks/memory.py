"""Peak memory of a training step as the analysis computes it, and as torch's allocator saw it.

    python -m benchmarks.memory [--count 30] [--batch 32] [--only chain,branching] [--json OUT]

Random architectures of every preset, each trained for one step of AdamW in float32 on the CPU under torch's profiler,
which notes every block that the allocator gives and takes back.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from space import presets
from space.architecture import Architecture
from space.build import build
from space.kinds import KINDS
from space.peak_memory import BATCH, EDGES, NODES, PAIRS, peak_memory
from space.space import Space

INPUTS = {
    "image": (3, 28, 28),
    "volume": (1, 16, 16, 16),
    "series": (3, 784),
    "segmentation": (3, 28, 28),
    "nodes": (32,),
    "graphs": (16,),
    "links": (32,),
}
"""Of each kind of data, where no other size is asked for."""


def measured_peak(architecture: Architecture, *, batch: int) -> int:
    """Bytes, as torch's allocator on the CPU saw them in the second step: the first, a small one, makes the moments."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        torch.zeros(1)
        module = build(architecture)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
        _step(module, optimizer, architecture, 2)
        _step(module, optimizer, architecture, batch)
    events = list(_allocations(seen))
    first = events[0][2] - events[0][1]
    return max(total for _, _, total in events) - first


def _step(module: torch.nn.Module, optimizer: torch.optim.Optimizer, architecture: Architecture, batch: int) -> None:
    """As the trainer does it: the last gradients are dropped between the passes."""
    inputs, rows = _batch(architecture, batch)
    logits = module(*inputs)
    y = torch.zeros((rows, *logits.shape[2:]), dtype=torch.int64)
    loss = F.cross_entropy(logits, y, label_smoothing=0.1)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _batch(architecture: Architecture, batch: int) -> tuple[tuple[Tensor, ...], int]:
    """Inputs of the size that `space.peak_memory` speaks of, and the rows that come out."""
    kind, scale = KINDS[architecture.data], batch / BATCH
    if not kind.is_graph:
        return (torch.randn(batch, *architecture.input_shape),), batch
    nodes, edges, pairs = (round(scale * count) for count in (NODES, EDGES, PAIRS))
    indices = {
        "edges": torch.randint(nodes, (2, edges)),
        "graph": torch.arange(nodes) * batch // nodes,
        "pairs": torch.randint(nodes, (2, pairs)),
    }
    rows = {"node": nodes, "graph": batch, "pair": pairs}[kind.rows]
    return (torch.randn(nodes, *architecture.input_shape), *(indices[of] for of in kind.indices)), rows


def _allocations(seen: profile) -> Iterator[tuple[int, int, int]]:
    """Time in ns, bytes taken (or given back, below 0), bytes taken in all; in the order of time."""
    results = seen.profiler.kineto_results if seen.profiler else None
    if results is None:
        raise RuntimeError("torch's profiler saw nothing")
    stack = list(results.experimental_event_tree())
    found = []
    while stack:
        event = stack.pop()
        stack += event.children
        note: Any = event.extra_fields
        if hasattr(note, "total_allocated"):
            found.append((event.start_time_ns, note.alloc_size, note.total_allocated))
    return iter(sorted(found, key=lambda event: event[0]))


def sampled(name: str, count: int, seed: int = 0) -> Iterator[Architecture]:
    """Random architectures of a preset."""
    document = presets.load(name)
    data = document.get("data", "image")
    space = Space.parse(document, input_shape=INPUTS[data], classes=2 if data == "links" else 10)
    rng = random.Random(f"{name} {seed}")
    for _ in range(count):
        yield space.sample(lambda decision: rng.choice(decision.options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30, help="architectures of each preset")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", default="", help="presets, separated by commas")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ratios: dict[str, list[float]] = {}
    for name in options.only.split(",") if options.only else presets.names():
        ratios[name] = sorted(
            peak_memory(architecture, batch=options.batch) / measured_peak(architecture, batch=options.batch)
            for architecture in sampled(name, options.count)
        )
        print(f"{name:16s} {_line(ratios[name])}", flush=True)
    print(f"{'all':16s} {_line(sorted(ratio for some in ratios.values() for ratio in some))}")
    if options.json:
        options.json.write_text(json.dumps(ratios, indent=2) + "\n")


def _line(ratios: list[float]) -> str:
    share = sum(abs(ratio - 1) <= 0.15 for ratio in ratios) / len(ratios)
    shown = " ".join(f"{ratios[round(q * (len(ratios) - 1))]:.2f}" for q in (0, 0.05, 0.5, 0.95, 1))
    return f"computed / measured, least 5 % half 95 % most: {shown}   within 15 %: {share:.1%}"


if __name__ == "__main__":
    main()
