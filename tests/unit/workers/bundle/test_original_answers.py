"""`predict` on the very file that was uploaded gives, on all of the test split, what the service itself measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from space.architecture import Architecture, GraphBuilder
from tests.bundle.made import REPORT
from workers import bundle
from workers.bundle.predict import main
from workers.conventions import LOSSES
from workers.datasets import DataStore
from workers.datasets.ingest import ingest
from workers.finalists.training import FinalistTask, train_finalist
from workers.train.job_data import final_data
from workers.train.recipe import Recipe

pytestmark = pytest.mark.heavy

ROWS = 150
X = np.random.default_rng(0).integers(0, 256, (ROWS, 1, 6, 6), dtype=np.uint8)
LIGHT = X[:, 0, :3].mean((1, 2))
Y = {
    "ordinal": np.digitize(LIGHT, np.quantile(LIGHT, [1 / 3, 2 / 3])),
    "multilabel": np.stack([LIGHT > 130, LIGHT < 125, X[:, 0, 5].mean(1) > 128], axis=1).astype(np.uint8),
    "regression": np.stack([1e5 * LIGHT, 5 - 0.01 * LIGHT], axis=1).astype(np.float32),
}


def network(outputs: int) -> Architecture:
    g = GraphBuilder((1, 6, 6), outputs)
    x = g.add("act", "activation", {"kind": "relu"}, g.add("conv", "conv2d", {"out": 4, "kernel": 3}, g.input))
    return g.finish(g.add("head", "linear", {"out": outputs}, g.add("flat", "flatten", {}, x)))


@pytest.mark.parametrize(
    "problem",
    [pytest.param("ordinal", marks=pytest.mark.slow), pytest.param("multilabel", marks=pytest.mark.slow), "regression"],
)
def test_answers_for_the_uploaded_file_are_those_that_were_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    y = Y[problem]
    np.savez(tmp_path / "all.npz", x=X, y=y)
    store = DataStore(tmp_path / "store")
    ingest("npz", tmp_path / "all.npz", name="all", store=store, problem=problem)
    dataset = store.open("all", seed=0)
    assert (dataset.problem, dataset.classes) == (problem, 3 if y.ndim == 1 else y.shape[1])
    graph = network(dataset.classes)
    recipe = Recipe(epochs=4, batch_size=16, min_steps=1, loss=LOSSES[problem][0], label_smoothing=0.0)
    task = FinalistTask(rank=1, number=0, seed=0, architecture=graph.to_json(), recipe=recipe)
    trained = train_finalist(task, final_data(dataset))
    given = bundle.Preprocessing.of(dataset)
    exports = bundle.export(
        bundle.ExportTask(architecture=graph.to_json(), weights=trained.weights, preprocessing=given)
    )
    made = bundle.publish(
        tmp_path, architecture=graph, weights=trained.weights, preprocessing=given, report=REPORT, exports=exports
    )
    assert main([str(made.path), str(tmp_path / "all.npz"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == ROWS
    key = {"ordinal": "classes", "multilabel": "labels", "regression": "values"}[problem]
    found = np.array([[row[key][name] for name in given.labels] for row in rows])
    test = dataset.splits.test
    if problem == "ordinal":
        expected = metrics.cohen_kappa_score(y[test], found[test].argmax(1), weights="quadratic")
    elif problem == "multilabel":
        expected = np.mean([metrics.average_precision_score(y[test, k], found[test, k]) for k in range(y.shape[1])])
    else:
        expected = metrics.r2_score(y[test], found[test])
        assert trained.answered is not None
        told = [row["mae"] for row in trained.answered["targets"]]
        np.testing.assert_allclose(told, np.abs(y[test] - found[test]).mean(0), rtol=1e-4)
    assert trained.test_score == pytest.approx(float(expected), abs=1e-5)
