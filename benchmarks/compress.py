"""How much smaller and faster a typical winner on Fashion-MNIST becomes, and what it costs in accuracy.

    python -m benchmarks.compress [--data ../shared/data/fashion_mnist] [--epochs 6] [--every 1] [--out FOLDER]

A network of the preset `chain` with some 130,000 parameters is trained for a few epochs, once: what is in --out is used
again, and so is every finished step. Then it goes through the steps as a job's winner does, in this process. The table
has one row for each step: the validation score after it, the bytes of the file on disk, and MACs and latency.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save

from search.compress import DEFAULT, STEPS
from search.spec import CompressSpec, CompressStep
from space import presets
from space.architecture import Architecture
from space.space import Space, replay
from workers.compress.chain import Chain, Winner, attempted
from workers.compress.tasks import StepTask
from workers.datasets import Dataset, DataStore
from workers.datasets.ingest import ingest
from workers.train.job_data import JobData, final_data, search_data
from workers.train.prepare import new_trainer
from workers.train.recipe import Recipe

WIDTHS = {"stages.0.width": 16, "stages.1.width": 48, "stages.1.depth": 1, "stages.2.width": 96}
GOALS = {"smaller": 10.0, "faster": 1.5, "lost": 0.01}


def steps(names: list[str], rounds: int, epochs: int) -> tuple[CompressStep, ...]:
    """epochs: of fine-tuning in each round; where channels leave there is more to be made good."""
    asked: dict[str, dict[str, Any]] = {
        "prune_structured": {"share": 0.3, "rounds": rounds, "epochs": 2 * epochs},
        "prune_magnitude": {"sparsity": 0.6, "rounds": rounds, "epochs": epochs},
        "lottery": {"sparsity": 0.7, "rounds": rounds},
        "quantise_int8": {},
        "cluster": {"clusters": 16, "epochs": epochs},
        "huffman": {},
    }
    return tuple(CompressStep(name=name, options=asked[name]) for name in asked if name in names)


def architecture(shape: tuple[int, ...], classes: int) -> Architecture:
    space = Space.parse(presets.load("chain"), input_shape=shape, classes=classes)
    return space.sample(replay({**space.baseline(), **WIDTHS}))


def winner(dataset: Dataset, recipe: Recipe, folder: Path) -> Winner:
    """Trained as a finalist is, on training and validation split; the one in `folder` if there is one."""
    weights, scores = folder / "winner.safetensors", folder / "winner.json"
    graph = architecture(dataset.info.input_shape, dataset.classes).to_json()
    if not scores.is_file():
        data = final_data(dataset)
        trainer = new_trainer(graph, data, recipe)
        for epoch in range(recipe.epochs):
            print(f"winner, epoch {epoch + 1}: loss {trainer.train_epoch():.4f}", file=sys.stderr, flush=True)
        state = {name: tensor.contiguous() for name, tensor in trainer.module.state_dict().items()}
        weights.write_bytes(save(state))
        assert data.test is not None
        scores.write_text(json.dumps({"final_score": trainer.score(data.test)}))
    score = json.loads(scores.read_text())["final_score"]
    return Winner(architecture=graph, weights=weights.read_bytes(), final_score=score)


def told(function: Callable[[Any, JobData], Any], task: Any, data: JobData) -> Any:
    """Takes a step and says so."""
    name = task.name if isinstance(task, StepTask) else "the evaluation on the test split"
    print(f"{name}, {'search' if data.val is not None else 'final'} pass", file=sys.stderr, flush=True)
    return attempted(function, task, data)


HEAD = ("step", "val. score", "bytes", "params", "not zero", "MACs", "ms (spread)", "before")


def table(entry: dict[str, Any], score: float) -> list[str]:
    """Lines of text; `before` is the latency of the network that a step began with, measured beside its own."""
    first = {**entry["before"], "bytes": entry["bytes_before"], "validation_score": entry["validation_score"]}
    rows = [_cells("the winner", first)]
    rows += [_cells(step["name"] + ("" if step["kept"] else ", refused"), step) for step in entry["steps"]]
    widths = [max(len(row[place]) for row in (HEAD, *rows)) for place in range(len(HEAD))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (HEAD, *rows)]
    return [
        *lines,
        f"test split: {score:.4f} before, {entry['final_score']:.4f} after",
        f"{entry['bytes_before']:,} to {entry['bytes']:,} bytes, {entry['smaller']:.1f} times smaller",
        f"{entry['latency_before_ms']:.3f} to {entry['latency_ms']:.3f} ms, {entry['faster']:.2f} times faster",
    ]


def _cells(name: str, costs: dict[str, Any]) -> tuple[str, ...]:
    numbers = [f"{costs[key]:,}" if key in costs else "" for key in ("bytes", "params", "nonzero", "macs")]
    timed = [""] * 2
    if "latency_ms" in costs:
        timed = [f"{costs['latency_ms']:.3f} ({costs['latency_spread_ms']:.3f})", f"{costs['latency_before_ms']:.3f}"]
    return (name, f"{costs['validation_score']:.4f}", *numbers, *timed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")) / "fashion_mnist"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--epochs", type=int, default=6, help="of a training from scratch")
    parser.add_argument("--rounds", type=int, default=2, help="of pruning")
    parser.add_argument("--tune", type=int, default=2, help="epochs of fine-tuning in each round")
    parser.add_argument("--steps", nargs="+", default=DEFAULT, choices=list(STEPS))
    parser.add_argument("--every", type=int, default=1, help="take each so many-th training sample")
    parser.add_argument("--max-drop", type=float, default=0.01)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--layout", default="nhwc")
    parser.add_argument("--out", type=Path, default=Path("compress-benchmark"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    store = DataStore(options.out / "store")
    if "fashion" not in store.names():
        ingest("idx", sorted(options.data.glob("*.gz")), name="fashion", store=store)
    dataset = store.open("fashion", seed=0)
    splits = replace(dataset.splits, search_train=dataset.splits.search_train[:: options.every])
    dataset = replace(dataset, splits=splits)
    recipe = Recipe(epochs=options.epochs, seed=1, precision=options.precision, layout=options.layout)
    first = winner(dataset, recipe, options.out)
    spec = CompressSpec(steps=steps(options.steps, options.rounds, options.tune), max_drop=options.max_drop)
    made = Chain(spec, first, folder=options.out / "steps", recipe=recipe, run=told).compress(
        search_data(dataset), final_data(dataset)
    )
    if "failed" in made.entry:
        print(made.entry["failed"], file=sys.stderr)
        return 1
    print("\n".join(table(made.entry, first.final_score)))
    if options.json:
        options.json.write_text(json.dumps(made.entry, indent=2) + "\n")
    reached = made.entry["smaller"] >= GOALS["smaller"] and made.entry["faster"] >= GOALS["faster"]
    return 0 if reached and made.entry["lost"] <= GOALS["lost"] else 1


if __name__ == "__main__":
    sys.exit(main())
