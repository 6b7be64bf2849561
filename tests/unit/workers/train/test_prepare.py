"""Who decides what of a training: the job, the kind of data, the architecture."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from search.planning.rule import make_plan
from search.planning.values import Plan, PlanInputs
from search.spec import Budget, JobSpec, ObjectiveSpec, TrialSpec
from space import presets
from space.architecture import GraphBuilder
from space.build import build
from space.space import Space
from workers.train.numerics import Numerics
from workers.train.optimizer import make_optimizer
from workers.train.prepare import SCHEDULE, final_recipe, recipe, resolved, trial_recipe, works_at
from workers.train.recipe import Recipe

PLAIN = Numerics(precision="fp32", layout="nchw", source="fixed")


@pytest.fixture(autouse=True)
def _mirror_images_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.train.prepare.mirrors", lambda dataset: dataset.helped)


def values(*, task: str = "image", helped: bool = False, **changes: Any) -> Recipe:
    dataset: Any = SimpleNamespace(task=task, helped=helped, problem="classification")
    return recipe(JobSpec(dataset="digits", space={}, **changes), PLAIN, dataset, epochs=3, seed=1)


def test_without_other_values_the_recipe_is_the_jobs() -> None:
    given = values(trial=TrialSpec(learning_rate=0.02, batch_size=7), objective=ObjectiveSpec(score="auc"))
    whole = resolved(given, task="image", training={})
    assert whole == Recipe(epochs=3, seed=1, learning_rate=0.02, batch_size=7, score="auc")


def test_the_architecture_overrides_job_and_data() -> None:
    training = {"learning_rate": 0.5, "weight_decay": 0, "augment": 0.25, "label_smoothing": 0.3, "optimizer": "sgd"}
    for task in ("image", "nodes"):
        whole = resolved(values(), task=task, training=training)
        assert {name: getattr(whole, name) for name in training} == training


def test_sgd_gets_a_rate_of_its_own_unless_one_is_given() -> None:
    assert resolved(values(), task="image", training={"optimizer": "sgd"}).learning_rate == pytest.approx(0.1)
    given = {"optimizer": "sgd", "learning_rate": 0.05}
    assert resolved(values(), task="image", training=given).learning_rate == 0.05
    assert resolved(values(), task="image", training={"optimizer": "adamw"}).learning_rate == 0.01


def test_kinds_of_data_have_their_own_values() -> None:
    assert not resolved(values(), task="image", training={}).flip
    assert resolved(values(helped=True), task="image", training={}).flip
    assert resolved(values(task="volume"), task="volume", training={}).flip
    assert not resolved(values(task="nodes", helped=True), task="nodes", training={}).flip
    assert resolved(values(), task="nodes", training={}).optimizer == "adam"
    assert resolved(values(), task="nodes", training={"optimizer": "adamw"}).optimizer == "adamw"


@pytest.mark.parametrize(("optimizer", "decay"), [("adamw", 0.05), ("adam", 0.0005), ("sgd", 0.0005)])
def test_weight_decay_is_the_same_for_every_optimizer(optimizer: str, decay: float) -> None:
    from torch import nn

    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    made = make_optimizer(network, Recipe(optimizer=optimizer))
    assert [group["weight_decay"] for group in made.param_groups] == [pytest.approx(decay), 0.0]
    assert all(g["weight_decay"] == 0 for g in make_optimizer(network, Recipe(weight_decay=0)).param_groups)


def plan_of(**changes: Any) -> Plan:
    given = PlanInputs(
        seconds=1800, slots=2, samples=48_000, val_samples=12_000, final_samples=60_000, input_shape=(1, 28, 28),
        classes=10, step_s=0.09, score_s=4.0,
    )  # fmt: skip
    return replace(make_plan(given), **changes)


def test_a_planned_trial_is_counted_in_steps() -> None:
    plan, dataset = (
        plan_of(rungs=(60, 180, 540), share=0.5),
        SimpleNamespace(task="image", helped=False, problem="classification"),
    )
    spec = JobSpec(dataset="digits", space={}, budget=Budget(seconds=1800), trial=TrialSpec(scheduler="asha"))
    made = trial_recipe(spec, PLAIN, dataset, plan, seed=1)  # type: ignore[arg-type]
    assert (made.rungs, made.epochs, made.batch_size, made.min_steps) == ((60, 180, 540), 3, plan.batch_size, 1)
    assert (made.subset, made.schedule) == (0.5, SCHEDULE)
    alone = replace(spec, trial=TrialSpec(scheduler="none"))
    assert trial_recipe(alone, PLAIN, dataset, plan, seed=1).schedule == "one_cycle"  # type: ignore[arg-type]
    nodes = SimpleNamespace(task="nodes", helped=False, problem="classification")
    assert trial_recipe(spec, PLAIN, nodes, plan, seed=1).min_steps == 16  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "rungs"), [(100, (100,)), (375, (375,)), (700, (350, 700)), (1125, (375, 750, 1125)), (1, (1,))]
)
def test_a_planned_final_training_takes_its_steps_in_about_as_many_parts_as_passes(
    steps: int, rungs: tuple[int, ...]
) -> None:
    plan, dataset = (
        plan_of(final_steps=steps, final_pass_steps=375),
        SimpleNamespace(task="image", helped=False, problem="classification"),
    )
    spec = JobSpec(dataset="digits", space={}, budget=Budget(seconds=1800))
    made = final_recipe(spec, PLAIN, dataset, plan, seed=1)  # type: ignore[arg-type]
    assert (made.rungs, made.epochs, made.subset) == (rungs, len(rungs), 1.0)
    assert made.up_to(1).rungs == rungs[:1]


def test_an_old_job_has_the_score_of_its_time() -> None:
    document = JobSpec(dataset="digits", space={}).to_json()
    del document["objective"]["score"]
    assert JobSpec.from_json(document) == JobSpec(dataset="digits", space={})


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["capsule", "chain", "darts_cell", "mobile", "nonlocal", "resnet", "volume3d"])
def test_a_network_that_works_at_a_smaller_resolution_gives_logits_there(name: str) -> None:
    shape = (1, 32, 32, 32) if name == "volume3d" else (3, 32, 32)
    space = Space.parse(presets.load(name), input_shape=shape, classes=5)
    torch.manual_seed(0)
    fitting = 0
    for number in range(4):
        draws = np.random.default_rng(number)
        graph = space.sample(lambda decision: decision.options[int(draws.integers(len(decision.options)))])  # noqa: B023
        if works_at(graph, 16):
            fitting += 1
            assert build(graph).eval()(torch.zeros(2, shape[0], *[16] * (len(shape) - 1))).shape == (2, 5)
    assert fitting or name in ("capsule", "darts_cell")  # whose cells name the sizes of their maps


def test_a_network_that_flattens_its_maps_keeps_its_resolution() -> None:
    builder = GraphBuilder((1, 8, 8), 2)
    flat = builder.add("flat", "flatten", {}, builder.input)
    graph = builder.finish(builder.add("head", "linear", {"out": 2}, flat))
    assert not works_at(graph, 4)
    assert works_at(graph, 8)
