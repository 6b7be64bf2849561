"""Every problem on every kind of data: parts of a split, splits of graphs, trainings, proxies, mirror images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from search.spec import JobSpec, ObjectiveSpec, TrialSpec
from tests.unit.workers.graph_data import GraphNet, NodeNet, communities, many_graphs
from workers.datasets import Dataset, DataStore, GraphSplit, Split
from workers.datasets.graphs import RawGraphs
from workers.datasets.strata import strata
from workers.planning.pace import _class_sizes
from workers.probes.zero_cost import _inputs, _one_batch
from workers.train.class_weights import class_weights
from workers.train.data import TrainData
from workers.train.job_data import JobData, final_data, search_data
from workers.train.mirror import mirror_test
from workers.train.prepare import trainer_of
from workers.train.recipe import Recipe

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)


def train_data(problem: str, y: Array) -> TrainData:
    x = RNG.integers(0, 256, (len(y), 1, 4, 4), dtype=np.uint8)
    return TrainData.on("cpu", train=Split(x=x, y=y), val=None, mean=(127.0,), std=(70.0,), problem=problem)


@pytest.mark.parametrize("problem", ["regression", "multilabel", "segmentation", "ordinal"])
def test_a_part_is_stratified_whatever_the_answers_are(problem: str) -> None:
    answers: dict[str, Array] = {
        "regression": RNG.exponential(size=(400, 2)).astype(np.float32),
        "multilabel": (RNG.random((400, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8),
        "segmentation": RNG.integers(0, 2, (400, 4, 4)).astype(np.uint8),
        "ordinal": RNG.integers(0, 4, 400),
    }
    y = answers[problem]
    data, number = train_data(problem, y), strata(y, problem)
    small, large = (data.part(share).tolist() for share in (0.1, 0.5))
    assert len(small) == 40
    assert set(small) < set(large)
    counts = np.bincount(number[small], minlength=number.max() + 1)
    assert (counts >= 1).all()
    assert np.abs(counts - 0.1 * np.bincount(number)).max() <= 2


# ---- graphs


def nodes(problem: str) -> RawGraphs:
    """Communities; the answers to 20 of 150 nodes are not known."""
    x, edges, y = communities()
    answers: Array = np.stack([100.0 * y, -1.0 * y], axis=1).astype(np.float32)
    unknown: Any = np.nan
    if problem == "multilabel":
        answers, unknown = np.stack([y == 0, y > 0, y == 2], axis=1).astype(np.uint8), 255
    answers[130:] = unknown
    names = tuple("abc")[: answers.shape[1]]
    return RawGraphs(format="npz", x=x, edges=edges, y=answers, class_names=names, problem=problem)


def graphs() -> RawGraphs:
    """What is asked is the mean of a feature over a graph's nodes, in large units."""
    split = many_graphs(90)
    means = np.bincount(split.index, weights=split.x[:, 0]) / np.bincount(split.index)
    y = (1000.0 * means).astype(np.float32)[:, None]
    half = split.edges[:, split.edges[0] < split.edges[1]]
    return RawGraphs(
        format="npz", x=split.x, edges=half[:, np.lexsort(half[::-1])], graph=split.index, y=y,
        class_names=("mean",), problem="regression",
    )  # fmt: skip


def opened(raw: RawGraphs, folder: Path, *, task: str | None = None) -> Dataset:
    store = DataStore(folder)
    store.add("g", raw)
    return store.open("g", seed=0, task=task)


@pytest.mark.parametrize("problem", ["regression", "multilabel"])
def test_nodes_whose_answers_are_not_known_are_in_no_split(problem: str, tmp_path: Path) -> None:
    dataset = opened(nodes(problem), tmp_path)
    assert (dataset.task, dataset.problem, dataset.classes) == ("nodes", problem, 2 if problem == "regression" else 3)
    rows = [getattr(dataset.splits, name) for name in ("search_train", "search_val", "test")]
    assert sorted(np.concatenate(rows).tolist()) == list(range(130))
    assert "20 of 150 nodes have no label and are in no split" in dataset.info.report["warnings"]
    assert dataset.view("links").problem == "classification"
    assert dataset.view("links").target_mean == ()


@pytest.mark.heavy
@pytest.mark.parametrize(("problem", "loss"), [("regression", "mse"), ("multilabel", "binary_cross_entropy")])
def test_nodes_learn_other_answers(problem: str, loss: str, tmp_path: Path) -> None:
    dataset = opened(nodes(problem), tmp_path)
    torch.manual_seed(0)
    found = trained(NodeNet(classes=dataset.classes), search_data(dataset), loss=loss)
    assert found > (0.5 if problem == "regression" else 0.8)


@pytest.mark.heavy
def test_graphs_learn_numbers(tmp_path: Path) -> None:
    dataset = opened(graphs(), tmp_path)
    data = search_data(dataset)
    assert isinstance(data.train, GraphSplit)
    assert data.train.y.shape == (len(data.train), 1)
    assert final_data(dataset).target_mean == dataset.target_mean
    assert dataset.target_mean[0] == pytest.approx(500.0, abs=50.0)
    torch.manual_seed(0)
    module = GraphNet()
    module.second = type(module.second)(16, 1)
    assert trained(module, data, loss="huber") > 0.2


def trained(module: nn.Module, data: JobData, *, loss: str) -> float:
    run = trainer_of(module, {}, data, Recipe(epochs=2, min_steps=40, loss=loss))
    run.train_epoch()
    return run.epoch().score


# ---- before a training


def test_the_batch_of_proxies_has_the_problem(tmp_path: Path) -> None:
    dataset = opened(graphs(), tmp_path)
    batch = _one_batch(dataset, 0)
    assert (batch.problem, batch.val, batch.key.endswith("/proxies")) == ("regression", None, True)
    assert len(_inputs(batch, "cpu")) == 3


def test_a_plan_knows_sizes_of_classes_only_where_there_are_classes(tmp_path: Path) -> None:
    dataset = opened(graphs(), tmp_path)
    plain = JobSpec(dataset="g", space={})
    assert _class_sizes(plain, dataset.y, dataset) == ()
    digits = DataStore(tmp_path).open("digits", seed=0)
    y = digits.search_train.y
    assert sum(_class_sizes(plain, y, digits)) == len(y)
    told = replace(plain, objective=ObjectiveSpec(score="auc"), trial=TrialSpec(class_weights="balanced"))
    assert _class_sizes(told, y, digits) == (), "all that the warning proposes is there"


def test_balanced_weights_are_of_the_training_split(tmp_path: Path) -> None:
    digits = DataStore(tmp_path).open("digits", seed=0)
    weights = np.array(class_weights("balanced", digits))
    sizes = np.bincount(digits.search_train.y)
    assert weights * sizes == pytest.approx(len(digits.search_train) / 10)
    assert class_weights((1.0,) * 10, digits) == (1.0,) * 10
    assert class_weights("none", digits) == ()
    dataset = opened(nodes("multilabel"), tmp_path)
    assert len(class_weights("balanced", dataset)) == 3
    assert class_weights("balanced", dataset.view("links")) == ()


def test_pictures_whose_number_depends_on_the_side_are_not_mirrored() -> None:
    """A spot whose place, or whose height, is asked."""
    place, height = RNG.integers(1, 15, (2, 600))
    x = RNG.integers(0, 40, (600, 1, 16, 16))
    for sample, (row, column) in enumerate(zip(height, place, strict=True)):
        x[sample, 0, row - 1 : row + 2, column - 1 : column + 2] += 200
    pictures = x.clip(0, 255).astype(np.uint8)

    def helps(number: Array) -> bool:
        y = strata(number[:, None].astype(np.float32), "regression")
        return mirror_test(pictures[:450], y[:450], pictures[450:], y[450:]).helps

    assert helps(height)
    assert not helps(place)
