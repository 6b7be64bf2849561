"""Architectures as numbers: paths against listing them, one function for one network, and scales."""

import itertools

import numpy as np
import pytest

from search.proposing.walks import SearchSpace, Walk, follow, uniform
from search.surrogate.features import CLIP, Columns, Numbers, describe
from search.surrogate.topology import SETS, STEPS, SUMS, Part, _contracted, alive, topology
from search.testing.toys import chain, fork
from space import presets
from space.analysis import analyse
from space.decision import Choices
from space.space import Space, replay

WORDS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LABELS = {"0": "zero", "1": "", "2": "point", "3": "wide", "4": "pool"}
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def cell(code: str) -> Part:
    """A cell of six edges, as six digits in the order of EDGES: 0 nothing, 1 a line, 2 to 4 steps."""
    labels: list[str] = []
    inputs: list[tuple[int, ...]] = []
    nodes = [-1]
    for end in (1, 2, 3):
        ends = []
        for (start, stop), digit in zip(EDGES, code, strict=True):
            if stop == end:
                labels.append(LABELS[digit])
                inputs.append((nodes[start],))
                ends.append(len(labels) - 1)
        labels.append("join")
        inputs.append(tuple(ends))
        nodes.append(len(labels) - 1)
    return Part(labels=tuple(labels), inputs=tuple(inputs), ends=(nodes[3],))


def listed(part: Part) -> list[list[int]]:
    """Every path of the contracted graph, as the indices in STEPS of its steps."""
    graph = _contracted(part)

    def paths(node: int) -> list[list[int]]:
        if node == 0:
            return [[]]
        own = [graph.kinds[node]] if graph.kinds[node] >= 0 else []
        return [
            [*before, *([edge.kind] if edge.kind >= 0 else []), *own]
            for edge in graph.edges[node]
            for before in paths(edge.start)
        ]

    return paths(len(graph.kinds) - 1)


def random_codes(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(map(str, rng.integers(0, 5, size=6))) for _ in range(count)]


@pytest.mark.parametrize("code", random_codes(60))
def test_paths_are_those_that_a_list_would_have(code: str) -> None:
    part = cell(code)
    found = topology(part)
    if not any(alive(part)):
        assert set(found.values()) == {0.0}
        return
    paths = listed(part)
    counts = np.array([[path.count(step) for step in range(len(STEPS))] for path in paths])
    assert found["paths"] == pytest.approx(np.log1p(len(paths)))
    assert found["paths.skip"] == pytest.approx(np.log1p(sum(set(path) <= {3} for path in paths)))
    for place, step in enumerate(STEPS):
        assert found[f"total.{step}"] == pytest.approx(np.log1p(counts[:, place].sum()))
    for name, steps in SUMS.items():
        sums = counts[:, [STEPS.index(step) for step in steps]].sum(axis=1)
        assert (found[f"most.{name}"], found[f"fewest.{name}"]) == (sums.max(), sums.min())
    for chosen in SETS:
        allowed = {STEPS.index(step) for step in chosen}
        lengths = [len(path) for path in paths if set(path) <= allowed]
        name = "+".join(chosen)
        assert found[f"longest.only.{name}"] == max(lengths, default=0)
        assert found[f"shortest.only.{name}"] == pytest.approx(1 / max(1, min(lengths)) if lengths else 0.0)


def test_spellings_of_one_cell_look_alike() -> None:
    alike = [topology(cell(code)) for code in ("000300", "300010", "030001", "301001", "100300")]
    for other in alike[1:]:
        assert other == alike[0]


def test_what_nothing_comes_through_is_not_alive() -> None:
    part = cell("300000")
    assert not any(alive(part))
    assert set(topology(part).values()) == {0.0}


def test_ends_of_a_known_cell() -> None:
    found = topology(cell("333111"))  # three lines end in a junction: one from the start, two from junctions
    assert {step: found[f"last.{step}"] for step in STEPS} == {"point": 0, "wide": 0, "pool": 0, "skip": 3}
    assert {step: found[f"first.{step}"] for step in STEPS} == {"point": 0, "wide": 2, "pool": 0, "skip": 1}


def described(space: SearchSpace, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    walk = Walk(picker=uniform(np.random.default_rng(seed)))
    architecture = space.sample(walk.choose)
    return describe(architecture, analyse(architecture).measures, walk.decisions, walk.choices)


def test_fifteen_repeats_of_a_cell_are_fifteen_times_one() -> None:
    space = Space.parse(presets.load("nasbench201"), input_shape=(3, 32, 32), classes=10)

    def graph(code: str) -> Numbers:
        names = [f"cell.edge{start}_{end}" for start, end in EDGES]
        answers: Choices = {name: WORDS[int(digit)] for name, digit in zip(names, code, strict=True)}
        walk = Walk(picker=follow(replay(answers)))
        architecture = space.sample(walk.choose)
        return describe(architecture, analyse(architecture).measures, walk.decisions, walk.choices)[0]

    one, other = graph("323131"), graph("111111")
    for name, value in topology(cell("323131")).items():
        difference = one.get(name, 0.0) - other.get(name, 0.0)
        assert difference == pytest.approx(15 * (value - topology(cell("111111"))[name])), name


def test_answers_are_told_apart_from_questions_that_were_not_asked() -> None:
    toy = fork()
    sample = [described(toy, seed) for seed in range(60)]
    columns = Columns(sample)
    assert "kernel?" in columns.names[2]
    kernel = columns.names[2].index("kernel")
    for row in sample:
        value = columns.vector(row)[sum(columns.sizes[:2]) + kernel]
        assert (value == pytest.approx(0.0, abs=1e-9)) if "kernel?" not in row[2] else value != 0.0


def test_groups_weigh_the_same_whatever_their_number_of_columns() -> None:
    toy = chain(3)
    sample = [described(toy, seed) for seed in range(300)]
    columns = Columns(sample)
    table = np.array([columns.vector(row) for row in sample])
    for start, size in zip(itertools.accumulate((0, *columns.sizes)), columns.sizes, strict=False):
        assert (table[:, start : start + size] ** 2).sum(axis=1).mean() == pytest.approx(1.0, abs=0.1)


def test_what_the_sample_never_met_does_not_drown_the_rest() -> None:
    toy = chain(3)
    columns = Columns([described(toy, seed) for seed in range(50)])
    row = described(toy, 1)
    wild = (dict.fromkeys(row[0], 1000000000.0), row[1], row[2])
    vector = columns.vector(wild)
    assert np.abs(vector).max() <= CLIP


def test_nothing_to_learn_from() -> None:
    assert Columns([]).sizes == (0, 0, 0)
    assert Columns([described(chain(1), 0)]).sizes == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "shape"), [("everything", (3, 32, 32)), ("darts_cell", (3, 32, 32)), ("volume3d", (1, 16, 16, 16))]
)
def test_any_space_has_features(name: str, shape: tuple[int, ...]) -> None:
    space = Space.parse(presets.load(name), input_shape=shape, classes=10)
    sample = [described(space, seed) for seed in range(12)]
    columns = Columns(sample)
    assert all(size > 0 for size in columns.sizes)
    assert np.isfinite(np.array([columns.vector(row) for row in sample])).all()
