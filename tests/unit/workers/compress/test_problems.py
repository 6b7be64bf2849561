"""Compression by scores that are no accuracies: the chain decides by them and says what was lost in them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save

from search.spec import CompressSpec, CompressStep
from space.architecture import Architecture, GraphBuilder
from space.build import build
from workers.compress.chain import Chain, Winner
from workers.compress.int8 import FILE
from workers.conventions import LOSSES
from workers.datasets import Split
from workers.train.job_data import JobData
from workers.train.recipe import Recipe

pytestmark = pytest.mark.heavy

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (192, 1, 6, 6), dtype=np.uint8)
LIGHT = X[:, 0, :3].mean((1, 2))
Y: dict[str, np.ndarray] = {
    "multilabel": np.stack([LIGHT > 130, LIGHT < 120], axis=1).astype(np.uint8),
    "regression": np.stack([1000 * LIGHT, 5 - 0.01 * LIGHT], axis=1).astype(np.float32),
}


def network(outputs: int) -> Architecture:
    g = GraphBuilder((1, 6, 6), outputs)
    x = g.add("norm", "batch_norm", {}, g.add("conv", "conv2d", {"out": 8, "kernel": 3, "bias": False}, g.input))
    x = g.add("flat", "flatten", {}, g.add("act", "activation", {"kind": "relu"}, x))
    return g.finish(g.add("head", "linear", {"out": outputs}, x))


def splits(problem: str) -> tuple[JobData, JobData]:
    y = Y[problem]
    train, val, test = (Split(x=X[rows], y=y[rows]) for rows in (slice(96), slice(96, 144), slice(144, 192)))
    numbers = y[:96].astype(np.float64)
    mean, std = (tuple(f(0).tolist()) if problem == "regression" else () for f in (numbers.mean, numbers.std))
    both = Split(x=X[:144], y=y[:144])
    return tuple(
        JobData(
            key=f"{problem}/{stage}", train=seen, val=held, test=tested, mean=(127.5,), std=(74.0,),
            problem=problem, target_mean=mean, target_std=std,
        )
        for stage, seen, held, tested in (("search", train, val, None), ("final", both, None, test))
    )  # type: ignore[return-value]  # fmt: skip


@pytest.mark.parametrize(
    "problem", [name if name == "regression" else pytest.param(name, marks=pytest.mark.slow) for name in Y]
)
def test_the_chain_decides_by_the_score_of_the_problem(problem: str, tmp_path: Path) -> None:
    graph = network(2)
    recipe = Recipe(epochs=3, batch_size=16, min_steps=1, loss=LOSSES[problem][0], label_smoothing=0.0)
    steps = (
        CompressStep(name="prune_magnitude", options={"rounds": 1, "epochs": 1, "sparsity": 0.5}),
        CompressStep(name="quantise_int8", options={"samples": 64}),
    )
    winner = Winner(architecture=graph.to_json(), weights=save(dict(build(graph).state_dict())), final_score=0.5)
    spec = CompressSpec(steps=steps, max_drop=1.0)
    made = Chain(spec, winner, folder=tmp_path, recipe=recipe).compress(*splits(problem))
    assert "failed" not in made.entry
    found, kept = made.entry["validation_score"], [step["kept"] for step in made.entry["steps"]]
    assert found <= 1
    assert made.entry["lost"] == pytest.approx(0.5 - made.entry["final_score"])
    assert all(score <= 1 for step in made.entry["steps"] for score in step.get("attempts", ()))
    assert kept == [True, True]
    assert FILE in made.files
    assert set(made.entry["measures"]) == {"regression": {"r2", "mae", "rmse"}}.get(
        problem, {"mean_average_precision", "f1"}
    )
