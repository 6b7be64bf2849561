"""Whether a job can be done at all: thin spaces are let in, empty ones are refused with the nearest that was found."""

from typing import Any

import pytest

from archsmith.errors import InvalidInput
from search.problems import LOSSES, PROBLEM_SCORES
from search.spec import JobSpec, ObjectiveSpec, TrialSpec
from search.validate import DataShape, Pool, check_feasible, check_job, parse_space, sample
from space.constraint import Constraint
from space.space import Space


def ladder(layers: int, *constraints: str) -> Space:
    """Stages of one convolution: one walk in 4^layers has only kernels of 7, and the receptive field says so."""
    stage = {"kernel": [1, 3, 5, 7], "activation": ["relu", "silu"], "width": [4, 8]}
    document = {"schema": 1, "stages": [stage] * layers, "constraints": list(constraints)}
    return parse_space(document, DataShape(input_shape=(1, 28, 28), classes=3))


def infeasible(space: Space, *constraints: str) -> dict[str, object]:
    with pytest.raises(InvalidInput) as caught:
        check_feasible(space, [Constraint.parse(text) for text in constraints])
    [fault] = caught.value.faults
    assert fault.rule == "space_infeasible"
    return {"pointer": fault.pointer, "detail": fault.detail, "allowed": fault.allowed}


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(4))
def test_a_space_where_one_walk_in_65536_is_feasible_is_let_in(seed: int) -> None:
    check_feasible(ladder(8), [Constraint.parse("receptive_field >= 49")], seed=seed)


@pytest.mark.heavy
def test_two_constraints_that_pull_against_each_other() -> None:
    check_feasible(ladder(6), [Constraint.parse("receptive_field >= 35"), Constraint.parse("params <= 4600")])


@pytest.mark.heavy
def test_an_empty_space_names_the_tightest_constraint_and_how_near_one_came() -> None:
    fault = infeasible(ladder(6, "depth <= 100"), "params <= 1e6", "receptive_field >= 40")
    assert fault["pointer"] == "/objective/constraints/1"
    assert "the nearest misses its bound by 7.50%" in str(fault["detail"])
    assert str(fault["allowed"]).endswith("'largest': 37}}")


@pytest.mark.heavy
def test_the_spaces_own_constraint_is_pointed_at() -> None:
    fault = infeasible(ladder(2, "depth > 1", "peak_memory_mb < 0.5"))
    assert fault["pointer"] == "/space/constraints/1"
    assert "none of all 256 architectures" in str(fault["detail"])


def test_links_have_two_classes_whatever_the_nodes_have() -> None:
    document = {"schema": 1, "data": "links", "stages": [{"width": 8}]}
    space = parse_space(document, DataShape(input_shape=(5,), classes=7, tasks=("nodes", "links")))
    assert (space.data, space.classes) == ("links", 2)


def test_a_small_space_is_sampled_whole() -> None:
    samples = sample(ladder(1, "receptive_field > 3"), [Constraint.parse("receptive_field > 3")])
    assert (samples.exhaustive, samples.walks, samples.feasible) == (True, 16, 8)


def faults_of(**changes: Any) -> list[tuple[str, str]]:
    """(pointer, rule) of each fault of a small job."""
    space = {"schema": 1, "stages": [{"width": [4, 8]}]}
    spec = JobSpec(dataset="squares", space=space, **changes)
    shape = DataShape(input_shape=(1, 8, 8), classes=3)
    try:
        check_job(spec, data=shape, datasets=["squares"], pool=Pool(cpus=2, gpus=1))
    except InvalidInput as error:
        return [(fault.pointer, fault.rule) for fault in error.faults]
    return []


def answers_faults(problem: str, *, data: str | None = None, **changes: Any) -> list[tuple[str, str]]:
    """(pointer, detail) of a job on data with three classes, labels or targets."""
    space = {"schema": 1, "stages": [{"width": [4, 8]}]} | ({"data": data} if data else {})
    objective = ObjectiveSpec(score=changes.pop("score", "auto"))
    spec = JobSpec(dataset="squares", space=space, objective=objective, trial=TrialSpec(**changes))
    tasks = (data, "nodes") if data else ("image",)
    shape = DataShape(input_shape=(5,) if data else (1, 8, 8), classes=3, tasks=tasks, problem=problem)
    try:
        check_job(spec, data=shape, datasets=["squares"], pool=Pool(cpus=2, gpus=1))
    except InvalidInput as error:
        return [(fault.pointer, fault.detail) for fault in error.faults]
    return []


@pytest.mark.parametrize("problem", ["classification", "ordinal", "multilabel", "regression"])
def test_scores_and_losses_of_the_problem_are_taken(problem: str) -> None:
    for score in ("auto", *PROBLEM_SCORES[problem]):
        for loss in ("auto", *LOSSES[problem]):
            assert answers_faults(problem, score=score, loss=loss) == []


@pytest.mark.parametrize(
    ("problem", "asked", "pointer", "part"),
    [
        ("classification", {"score": "r2"}, "/objective/score", "is for numbers, and the data set 'squares' holds cla"),
        ("regression", {"score": "accuracy"}, "/objective/score", "holds numbers: use r2"),
        ("regression", {"score": "mae"}, "/objective/score", "the score to maximise is r2"),
        ("regression", {"loss": "cross_entropy"}, "/trial/loss", "use mse or mae or huber"),
        ("multilabel", {"loss": "squared_steps"}, "/trial/loss", "is for classes in an order, and"),
        ("ordinal", {"loss": "hinge"}, "/trial/loss", "does not exist"),
        ("regression", {"class_weights": "balanced"}, "/trial/class_weights", "no classes to weigh"),
        ("classification", {"class_weights": (1.0, 2.0)}, "/trial/class_weights", "2 numbers, and the data set"),
        ("multilabel", {"class_weights": (1.0,) * 4}, "/trial/class_weights", "has 3 labels: give one for each"),
    ],
)
def test_what_does_not_suit_the_answers_is_refused(problem: str, asked: Any, pointer: str, part: str) -> None:
    [(where, detail)] = answers_faults(problem, **asked)
    assert where == pointer
    assert part in detail


def test_weights_of_the_right_length_are_taken() -> None:
    for problem in ("classification", "ordinal", "multilabel"):
        assert answers_faults(problem, class_weights=(1.0, 2.0, 0.5)) == []
        assert answers_faults(problem, class_weights="balanced") == []


def test_whether_nodes_are_linked_is_a_classification_whatever_the_nodes_answers() -> None:
    assert answers_faults("regression", data="links", score="auc", class_weights=(1.0, 2.0)) == []
    assert [where for where, _ in answers_faults("regression", data="links", score="r2")] == ["/objective/score"]


def test_a_reproducible_job_trains_on_no_gpu() -> None:
    assert faults_of(trial=TrialSpec(gpus=1)) == []
    assert faults_of(trial=TrialSpec(gpus=1), reproducible=True) == [("/trial/gpus", "combination_unsupported")]


def test_a_limit_on_a_measured_latency_is_left_to_the_trials() -> None:
    limits = ("params >= 1", "latency_ms <= 1e-9")
    assert faults_of(objective=ObjectiveSpec(constraints=limits)) == []
    assert faults_of(objective=ObjectiveSpec(constraints=limits), reproducible=True) == [
        ("/objective/constraints/1", "combination_unsupported")
    ]
    assert faults_of(objective=ObjectiveSpec(constraints=("latency_ms <= 1", "params < 1"))) == [
        ("/objective/constraints/1", "space_infeasible")
    ]
