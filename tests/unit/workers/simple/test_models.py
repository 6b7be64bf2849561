"""Simple models on made-up data: they learn what is there, the same again for the same seed, within bounds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.unit.workers.graph_data import many_graphs, node_splits
from workers.datasets import Dataset, DataStore, GraphSplit, Split
from workers.simple import estimators, graphs, pictures, sampling, series
from workers.simple.models import MODELS, SimpleTask, fit_and_score
from workers.simple.sampling import Part, Samples, samples
from workers.simple.scores import score
from workers.train.metrics import METRICS


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return DataStore(tmp_path_factory.mktemp("datasets")).open("digits", seed=0)


def given(train: Split | GraphSplit, held_out: Split | GraphSplit, task: str, classes: int) -> Samples:
    features = train.x.shape[1]
    parts = [Part(data=split, of=len(split)) for split in (train, held_out)]
    return Samples(
        task=task, classes=classes, train=parts[0], held_out=parts[1],
        mean=(0.0,) * features, std=(1.0,) * features,
    )  # fmt: skip


def colours(count: int, *, seed: int, shape: tuple[int, ...] = (3, 9, 7)) -> Split:
    """Class 0 is darker in its first channel."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    x = rng.integers(0, 160, (count, *shape))
    x[:, 0] += (60 * y).reshape(-1, *([1] * (len(shape) - 1)))
    return Split(x=x.astype(np.uint8), y=y)


def waves(count: int, *, seed: int) -> Split:
    """Slow or fast waves of any phase: only the spectrum tells them apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    turns = (3 + 4 * y)[:, None] * np.arange(50) / 50 + rng.random((count, 1))
    x = np.sin(2 * np.pi * turns)[:, None] + 0.3 * rng.standard_normal((count, 2, 50))
    return Split(x=x.astype(np.float32), y=y)


def halves(split: GraphSplit) -> tuple[GraphSplit, GraphSplit]:
    """The graphs 0 to 39 and the rest, numbered from 0."""
    out = []
    for low, high in ((0, 40), (40, 60)):
        nodes = (split.index >= low) & (split.index < high)
        edges = split.edges[:, nodes[split.edges[0]]] - int(np.argmax(nodes))
        index, y = split.index[nodes] - low, split.y[low:high]
        out.append(GraphSplit(x=split.x[nodes], edges=edges, index=index, y=y))
    return out[0], out[1]


def friends() -> tuple[GraphSplit, GraphSplit]:
    """Nine groups of ten nodes; half of the pairs in a group are linked. Every fourth pair is held out."""
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(90, k=1)
    linked = (first // 10 == second // 10) & (rng.random(len(first)) < 0.5)
    links = np.stack([first, second])[:, linked]
    none = np.stack([first, second])[:, ~linked][:, rng.permutation(int((~linked).sum()))[: links.shape[1]]]
    held = np.arange(links.shape[1]) % 4 == 0
    seen = np.concatenate([links[:, ~held], links[::-1, ~held]], axis=1)
    x = rng.random((90, 3)).astype(np.float32)
    out = []
    for part in (~held, held):
        index, y = np.concatenate([links[:, part], none[:, part]], axis=1), np.repeat([1, 0], int(part.sum()))
        out.append(GraphSplit(x=x, edges=seen, index=index, y=y))
    return out[0], out[1]


CASES = {
    "image": lambda: given(colours(60, seed=0), colours(40, seed=1), "image", 2),
    "volume": lambda: given(
        colours(60, seed=0, shape=(1, 5, 6, 7)), colours(40, seed=1, shape=(1, 5, 6, 7)), "volume", 2
    ),
    "series": lambda: given(waves(60, seed=0), waves(40, seed=1), "series", 2),
    "nodes": lambda: given(*node_splits(), "nodes", 3),
    "graphs": lambda: given(*halves(many_graphs()), "graphs", 2),
    "links": lambda: given(*friends(), "links", 2),
}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("model", MODELS)
def test_a_simple_model_learns_and_does_so_again(kind: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "ROUNDS", (1, 20))
    name = "auc" if kind == "links" else "accuracy"
    task = SimpleTask(model=model, score=name, seed=3)
    found, again = (fit_and_score(task, CASES[kind]()) for _ in range(2))
    assert found.score is not None
    assert found.score > {"nodes": 0.6, "links": 0.7}.get(kind, 0.8)
    assert replace(found, seconds=0.0) == replace(again, seconds=0.0)
    assert (found.strength is None) == (model == "boosted")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 8, 8), (2, 3, 70), (3, 65, 64), (40, 5, 5), (1, 1, 1, 1), (2, 9, 20, 33)]
)
def test_features_of_any_shape_are_finite_and_bounded(shape: tuple[int, ...], dtype: type) -> None:
    x: npt.NDArray[Any] = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(dtype)
    found = pictures.features(x, *pictures.value_range(x))
    assert found.shape[0] == 3
    assert found.shape[1] <= 2_048
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.isfinite(pictures.features(x * 0, *pictures.value_range(x * 0))).all()


@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (3, 65), (300, 40), (2, 5000), (1024, 2)])
def test_features_of_series_of_any_shape_are_finite_and_bounded(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    for given_x in (x, 0 * x, (100 * x).astype(np.uint8)):
        found = series.features(given_x)
        assert found.shape[0] == 3
        assert found.shape[1] <= 2 * 768 + 21 * 128
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


def test_the_spectrum_of_a_wave_has_one_peak_wherever_it_begins() -> None:
    x = np.sin(2 * np.pi * (5 * np.arange(64) / 64 + np.array([[[0.0]], [[0.3]]]))).astype(np.float32)
    found = series.spectrum(x, 96)
    assert found.shape == (2, 1, 32)
    assert found.argmax(2).tolist() == [[4], [4]]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_a_grid_of_means_keeps_the_mean() -> None:
    x = np.random.default_rng(0).random((2, 1, 12, 30), dtype=np.float32)
    assert pictures.pooled(x, 6)[0, 0, 0, 0] == pytest.approx(float(x[0, 0, :2, :5].mean()))
    assert pictures.pooled(x, 99) is x


def test_directions_of_edges_are_told_apart() -> None:
    stripes = np.tile((np.arange(16) % 4 / 4).astype(np.float32), (1, 16, 1))
    across, down = (pictures.gradients(x).reshape(9, -1).sum(1) for x in (stripes, stripes.transpose(0, 2, 1)))
    assert across.argmax() == 0
    assert down.argmax() == 4


def test_a_link_that_is_asked_about_is_not_seen() -> None:
    """The pair (0, 1) has the same features whether or not it is an edge of the graph."""
    edges = np.array([[0, 2], [1, 2], [0, 3], [1, 4], [0, 1]]).T
    x = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    found = []
    for kept in (5, 4):
        ends = np.concatenate([edges[:, :kept], edges[::-1, :kept]], axis=1)
        split = GraphSplit(x=x, edges=ends, index=np.array([[0, 1], [1, 0]]), y=np.array([1, 1]))
        found.append(graphs.link_features(split, np.arange(4), (0.5,) * 4, (1.0,) * 4))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[0][0], found[0][1], rtol=1e-5, atol=1e-6)
    assert found[0][0, 0] == pytest.approx(np.log(2)), "one neighbour in common"


def test_a_node_sees_the_mean_of_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = np.array([[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]])
    x = np.array([[1, 0], [0, 1], [0, 1], [1, 1]], dtype=np.uint8)
    split = GraphSplit(x=x, edges=edges, index=np.array([0, 3]), y=np.array([0, 1]))
    found = graphs.node_features(split, np.arange(2), (0.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(found[:, :4], [[1, 0, 1 / 6, 5 / 6], [0.5, 0.5, 1, 0]], rtol=1e-6)
    monkeypatch.setattr(graphs, "NEIGHBOURS", 2)
    np.testing.assert_allclose(graphs.node_features(split, np.arange(2), (0.0, 0.0), (1.0, 1.0))[0, 2:4], [0, 1])


def test_the_columns_that_vary_most_are_kept() -> None:
    x = np.zeros((10, 5), dtype=np.uint8)
    x[::2, 3], x[0, 1] = 1, 1
    assert graphs.widest(x, np.arange(10), most=2).tolist() == [1, 3]
    assert graphs.widest(x, np.arange(1, 10), most=1).tolist() == [3]


def test_the_search_never_opens_the_test_split(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = samples(digits, "search")
    np.testing.assert_array_equal(before.train.data.y, digits.search_train.y)
    np.testing.assert_array_equal(before.held_out.data.x, digits.search_val.x)
    after = samples(digits, "final")
    np.testing.assert_array_equal(after.train.data.x, digits.final_train.x)
    np.testing.assert_array_equal(after.held_out.data.x, digits.test.x)


def test_a_large_data_set_is_sampled(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "TRAINED", 100)
    found, again = samples(digits, "final"), samples(digits, "final")
    assert (len(found.train.data), found.train.of) == (100, 1438)
    assert (len(found.held_out.data), found.held_out.of) == (359, 359)
    np.testing.assert_array_equal(found.train.data.x, again.train.data.x)
    monkeypatch.setattr(sampling, "BYTES", 64 * 7)
    assert len(samples(digits, "final").held_out.data) == 7


def test_what_would_take_too_long_is_not_begun(digits: Dataset) -> None:
    many = replace(samples(digits, "search"), classes=700)
    found = fit_and_score(SimpleTask(model="boosted", score="accuracy", seed=0), many)
    assert (found.score, found.reason) == (None, "700 classes are too many for it in the time that it is given")
    alike = replace(many.train.data, y=many.train.data.y * 0)
    one = replace(many, train=Part(data=alike, of=len(alike)))
    assert (
        fit_and_score(SimpleTask(model="linear", score="accuracy", seed=0), one).reason
        == "all samples are of one class"
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "auc"])
def test_scores_are_those_of_the_networks(name: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    probabilities = rng.random((50, classes))
    probabilities /= probabilities.sum(1, keepdims=True)
    y = rng.integers(0, max(2, classes - 1), 50)
    logits = torch.tensor(np.log(probabilities))
    assert score(name, probabilities, y) == pytest.approx(METRICS[name](logits, torch.tensor(y)), abs=1e-12)


def test_a_part_of_a_graph_is_sampled_by_its_questions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert sampling._drawn(5, 10, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]
    assert len(set(sampling._drawn(100, 10, np.random.default_rng(0)).tolist())) == 10
