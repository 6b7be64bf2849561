"""Who decides what of a training: the job, the kind of data, the architecture."""

from types import SimpleNamespace
from typing import Any

import pytest

from search.spec import JobSpec, ObjectiveSpec, TrialSpec
from workers.train.numerics import Numerics
from workers.train.optimizer import make_optimizer
from workers.train.prepare import recipe, resolved
from workers.train.recipe import Recipe

PLAIN = Numerics(precision="fp32", layout="nchw", source="fixed")


def values(*, channels: int = 1, **changes: Any) -> Recipe:
    dataset: Any = SimpleNamespace(info=SimpleNamespace(input_shape=(channels, 8, 8)))
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
    assert resolved(values(channels=3), task="image", training={}).flip
    assert resolved(values(), task="volume", training={}).flip
    assert resolved(values(), task="nodes", training={}).optimizer == "adam"
    assert resolved(values(), task="nodes", training={"optimizer": "adamw"}).optimizer == "adamw"


@pytest.mark.parametrize(("optimizer", "decay"), [("adamw", 0.05), ("adam", 0.0005), ("sgd", 0.0005)])
def test_weight_decay_is_the_same_for_every_optimizer(optimizer: str, decay: float) -> None:
    from torch import nn

    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    made = make_optimizer(network, Recipe(optimizer=optimizer))
    assert [group["weight_decay"] for group in made.param_groups] == [pytest.approx(decay), 0.0]
    assert all(g["weight_decay"] == 0 for g in make_optimizer(network, Recipe(weight_decay=0)).param_groups)


def test_an_old_job_has_the_score_of_its_time() -> None:
    document = JobSpec(dataset="digits", space={}).to_json()
    del document["objective"]["score"]
    assert JobSpec.from_json(document) == JobSpec(dataset="digits", space={})
