"""Rungs in gradient steps, schedules, shares of the data and smaller samples: exact, and exact again after a break."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.workers.sources import pixels
from tests.unit.workers.train.test_kinds import KINDS, data_of
from tests.unit.workers.train.test_kinds import trainer as trainer_on
from workers.cluster.trial import TrialTask
from workers.datasets import Split
from workers.measures.calibrate import reference_network
from workers.train import checkpoint
from workers.train.average import Average
from workers.train.data import TrainData
from workers.train.recipe import SCHEDULES, Recipe
from workers.train.resize import smaller
from workers.train.schedule import Schedule
from workers.train.subset import part, stratified_order
from workers.train.trainer import Trainer

pytestmark = pytest.mark.heavy

RUNGS = (3, 7, 20)
"""With 12 steps a pass: two rungs in the first pass, one in the middle of the second."""


def data(count: int = 96, side: int = 8) -> TrainData:
    """Two classes: one is brighter in its left half."""
    x = pixels(count, 1, side, side) // 2
    y = np.arange(count, dtype=np.int64) % 2
    x[y == 1, :, :, :4] += 90
    split = Split(x=x, y=y)
    return TrainData.on("cpu", train=split, val=split, mean=(90.0,), std=(60.0,))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = list(reference_network((1, 8, 8), 2).children())
    return nn.Sequential(*layers[:-1], nn.Dropout(0.2), layers[-1])


def recipe(**changes: object) -> Recipe:
    values = {"epochs": len(RUNGS), "rungs": RUNGS, "batch_size": 8, "min_steps": 1, "learning_rate": 0.003}
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]


def trainer(values: Recipe, *, seed: int = 0) -> Trainer:
    torch.set_num_threads(1)
    return Trainer(network(seed), data(), values)


def curve(trained: Trainer, rungs: int = len(RUNGS)) -> list[tuple[int, float, float]]:
    return [(m.epoch, m.score, m.train_loss) for m in (trained.epoch() for _ in range(rungs))]


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_rungs_at_the_ends_of_the_passes_are_epochs() -> None:
    passes, rungs = trainer(recipe(epochs=3, rungs=())), trainer(recipe(rungs=(12, 24, 36)))
    assert curve(passes) == curve(rungs)
    assert same_weights(passes.module, rungs.module)


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize(("schedule", "ema"), [*((schedule, 0.0) for schedule in SCHEDULES), ("wsd", 0.2)])
def test_a_training_resumed_at_a_rung_is_the_unbroken_one_to_the_bit(
    schedule: str, ema: float, after: int, tmp_path: Path
) -> None:
    values = recipe(schedule=schedule, ema=ema, flip=True, augment=0.7)
    unbroken = trainer(values)
    whole = curve(unbroken)
    broken = trainer(values)
    curve(broken, after)
    checkpoint.save(tmp_path / "trial.ckpt", broken.state_dict())
    broken.epoch()  # lost with the process
    state = checkpoint.load(tmp_path / "trial.ckpt")
    assert state is not None
    resumed = trainer(values, seed=77)
    resumed.load_state_dict(state)
    torch.manual_seed(99)  # nobody else's draws matter
    assert curve(resumed, len(RUNGS) - after) == whole[after:]
    assert same_weights(resumed.module, unbroken.module)
    with pytest.raises(ValueError, match="all of them are done"):
        resumed.epoch()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_goes_on_in_the_middle_of_a_pass(kind: str) -> None:
    values = Recipe(epochs=2, rungs=(3, 6), min_steps=4, batch_size=12, flip=kind == "volume", augment=0.5)
    unbroken, broken, resumed = (trainer_on(kind, values) for _ in range(3))
    whole = curve(unbroken, 2)
    curve(broken, 1)
    resumed.load_state_dict(broken.state_dict())
    assert curve(resumed, 1) == whole[1:]
    assert same_weights(resumed.module, unbroken.module)


@pytest.mark.parametrize("changes", [{"schedule": "wsd", "decay": 0.4}, {"ema": 0.3}])
def test_a_score_does_not_disturb_the_training(changes: dict[str, object]) -> None:
    scored, straight = (trainer(recipe(**changes)) for _ in range(2))
    curve(scored)
    for _ in RUNGS:
        straight.train_epoch()  # without scores there is no branch but the last
    assert same_parameters(scored.module, straight.module)


def same_parameters(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(ours, theirs) for ours, theirs in zip(a.parameters(), b.parameters(), strict=True))


def test_the_state_holds_the_weights_that_were_scored() -> None:
    trained = trainer(recipe(schedule="wsd"))
    measured = trained.epoch()
    other = network(seed=5)
    other.load_state_dict(trained.state_dict()["module"])
    val = Split(x=data().train.x.numpy(), y=data().train.y.numpy())
    assert Trainer(other, data(), recipe()).score(val) == measured.score == trained.score(val)


def test_a_checkpoint_of_an_earlier_version_counts_passes() -> None:
    values = recipe(epochs=3, rungs=())
    first = trainer(values)
    whole = curve(first)
    again, resumed = trainer(values), trainer(values, seed=7)
    curve(again, 1)
    state = {name: value for name, value in again.state_dict().items() if name not in ("steps", "trunk")}
    resumed.load_state_dict(state)
    assert curve(resumed, 2) == whole[1:]


# --- what is scored


def test_the_average_is_over_the_last_steps() -> None:
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, horizon=4)
    for step in range(1, 40):
        with torch.no_grad():
            module.weight.fill_(float(step))
        average.update()
        if step == 4:  # a plain mean at first: of 1, 2, 3, 4
            assert average.state_dict()["values"][0].item() == pytest.approx(2.5)
    average.put()
    assert module.weight.item() == pytest.approx(36, abs=0.01)  # 39 - (horizon - 1)


def test_batch_norms_are_recomputed_for_a_score() -> None:
    split = Split(x=data().train.x.numpy(), y=data().train.y.numpy())
    trained = trainer(recipe(rungs=(48, 60, 72)))
    score = trained.epoch().score  # 96 samples are fewer than are taken after 48 steps of 8
    norm = next(part for part in trained.module.modules() if isinstance(part, nn.BatchNorm2d))
    few = norm.running_mean.clone() if norm.running_mean is not None else None
    trained.recompute_norms()
    assert few is not None
    torch.testing.assert_close(norm.running_mean, few, atol=1e-4, rtol=1e-4)
    assert trained.score(split) == score


# --- the recipe


def test_a_recipe_comes_back_from_json_with_its_rungs() -> None:
    task = TrialTask(
        job_id="j", number=1, attempt=1, architecture={}, recipe=recipe(subset=0.5), timeout_s=1.0, checkpoint=""
    )
    assert json.loads(task.dumps())["recipe"]["rungs"] == [3, 7, 20]
    assert TrialTask.loads(task.dumps()) == task
    assert task.epochs == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rungs": (3, 3)}, "ascending"),
        ({"rungs": (0, 3)}, "ascending"),
        ({"rungs": (3,)}, "epochs must be the number of rungs, 1, got 3"),
        ({"schedule": "linear"}, "one_cycle, cycles, wsd, got 'linear'"),
        ({"subset": 0.0}, "subset must be above 0"),
        ({"decay": 1.5}, "decay must be above 0"),
    ],
)
def test_a_recipe_that_cannot_be_trained_says_so(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


def test_a_recipe_of_another_length_keeps_the_length_of_its_rungs() -> None:
    assert Recipe(epochs=8).lasting(3) == Recipe(epochs=3)
    assert recipe(rungs=(10, 20, 30)).lasting(2).rungs == (10, 20)
    assert recipe(rungs=(10, 20, 30)).lasting(0) == replace(recipe(), epochs=0, rungs=())
    assert recipe(rungs=(1, 2, 3)).lasting(5).rungs == (1, 2, 3, 4, 5)
    assert asdict(recipe())["rungs"] == RUNGS


# --- schedules


def test_a_cycle_ends_at_each_rung_and_a_branch_too() -> None:
    for kind in ("cycles", "wsd"):
        schedule = Schedule(Recipe(epochs=3, rungs=(50, 150, 400), schedule=kind), steps=10)
        for rung, end in enumerate((50, 150, 400)):
            rates = [schedule.rate(step, rung) for step in range(schedule.start(rung), end)]
            assert max(rates) == 1.0
            assert rates[-1] < 0.1
            assert all(0 < rate <= 1 for rate in rates)
    assert [schedule.branch(rung) for rung in range(3)] == [40, 120, 320]
    assert [schedule.start(rung) for rung in range(3)] == [0, 40, 120]
    assert schedule.rate(200, 2) == 1.0


def test_the_warm_up_of_a_trunk_is_a_fifth_of_the_first_rung_but_not_too_short() -> None:
    for rungs, steps in (((50, 400), 20), ((7, 21, 64, 192), 10), ((2000, 4000), 400), ((10, 4000), 50), ((2,), 1)):
        schedule = Schedule(Recipe(epochs=len(rungs), rungs=rungs, schedule="wsd"), steps=10)
        rates = [schedule.rate(step, len(rungs) - 1) for step in range(steps)]
        assert rates[-1] >= 0.5
        assert rates[0] == pytest.approx(1 / steps, abs=1 / steps / 2)


# --- shares of the data


def test_a_part_is_stratified_and_within_every_larger_one() -> None:
    y = torch.tensor([0] * 700 + [1] * 250 + [2] * 48 + [3] * 2)[torch.randperm(1000)]
    order = stratified_order(y)
    assert sorted(order.tolist()) == list(range(1000))
    seen: set[int] = set()
    for share in (0.001, 0.01, 0.1, 0.33, 1.0):
        rows = part(order, share, classes=4)
        assert rows.tolist() == sorted(rows.tolist())
        assert seen <= set(rows.tolist())
        seen = set(rows.tolist())
        counts = torch.bincount(y[rows], minlength=4)
        assert (counts >= 1).all()
        assert (counts - share * torch.bincount(y)).abs().max() <= 2
    assert len(seen) == 1000
    assert torch.equal(order, stratified_order(y))


@pytest.mark.parametrize("kind", ["volume", "graphs"])
def test_a_training_sees_its_share_alone(kind: str) -> None:
    for subset, steps in ((1.0, 10), (0.5, 5)):
        trained = trainer_on(kind, Recipe(epochs=1, batch_size=6, min_steps=1, subset=subset))
        assert trained.steps == steps
    given = data_of("volume")
    rows = set(given.part(0.5).tolist())
    from workers.train.maps import Maps

    task = Maps(given, Recipe(batch_size=6, min_steps=1, subset=0.5, augment=0.0))
    [seen] = [torch.cat([batch.inputs[0] for batch in task.batches(torch.Generator())])]
    allowed = torch.cat([batch.inputs[0] for batch in task.whole(given.train)])[sorted(rows)]
    assert len(torch.cat([seen, allowed]).flatten(1).unique(dim=0)) == len(allowed)


# --- smaller samples


def test_a_smaller_picture_is_the_mean_of_its_pixels() -> None:
    x = torch.arange(2 * 16, dtype=torch.uint8).view(1, 2, 4, 4)
    assert smaller(x, 2).tolist() == [[[[2, 4], [10, 12]], [[18, 20], [26, 28]]]]  # halves to even
    assert smaller(x, 4) is x
    assert smaller(x, 9) is x
    assert smaller(torch.zeros(3, 1, 8, 4, 2), 4).shape == (3, 1, 4, 2, 1)


def test_a_training_at_a_smaller_resolution_scores_there_and_is_measured_as_stored() -> None:
    given = data(side=12)
    trained = Trainer(network(), given, recipe(resolution=8))
    [measured] = curve(trained, 1)
    assert trained.example()[0].shape == (1, 1, 12, 12)
    assert next(trained.seen())[0].shape[2:] == (8, 8)
    assert given.at(8) is given.at(8)
    assert given.at(12) is given
    split = Split(x=given.train.x.numpy(), y=given.train.y.numpy())
    small = Split(x=smaller(given.train.x, 8).numpy(), y=split.y)
    assert trained.score(split) == trained.score(small) == measured[1]
