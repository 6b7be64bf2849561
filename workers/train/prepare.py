"""From a job's document and the machine's calibration to the recipe of one training, and from there to a trainer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.planning.rule import most_masks
from search.planning.values import Plan
from search.spec import BATCH, JobSpec
from workers.conventions import loss_name
from workers.datasets import Dataset
from workers.train.class_weights import class_weights
from workers.train.job_data import JobData
from workers.train.mirror import mirrors
from workers.train.numerics import Numerics
from workers.train.recipe import Recipe
from workers.weights.inherit import inherit

if TYPE_CHECKING:
    from torch import nn

    from space.architecture import Architecture
    from workers.train.data import TrainData
    from workers.train.trainer import Trainer

_ON_DEVICE: "dict[tuple[str, str], TrainData]" = {}

SGD_RATE = 10.0
"""Factor on the job's learning rate, which is meant for AdamW, where the architecture asks for SGD without a rate."""
TASKS: dict[str, dict[str, Any]] = {
    "nodes": {"optimizer": "adam", "label_smoothing": 0.0, "min_steps": 16},
    "volume": {"flip": True},
}
"""Values that suit a kind of data better.

Nodes: two graph convolutions of 16 and 64 on Cora's own split, 5 seeds: 0.811 and 0.820 with Adam in 192 steps, 0.807
and 0.803 with AdamW, 0.006 less with smoothed labels; 0.821 and 0.819 with Adam in the 384 steps of a final one.
Volumes: AdrenalMNIST3D, 4 seeds, 32 epochs: AUC on the validation split 0.837 with mirror images, 0.824 without.
"""
PROBLEMS: dict[str, dict[str, Any]] = {"multilabel": {"label_smoothing": 0.0}}
"""Values that suit a problem better. Labels are mostly rare, and smoothing would keep each above 5 %."""


SCHEDULE = "wsd"
"""Of trials that are compared at rungs.

Kendall's tau with full trainings, six architectures of digits, after a third of the steps: wsd 0.87, cycles 0.83, from
scratch 0.60, one_cycle 0.55, each ± 0.2 to 0.3; at the end wsd 0.93, one_cycle 0.60. On ten of MUTAG (30 validation
graphs) none ranks before its end (`python -m benchmarks.fidelity`).
"""

ONE_GRAPH_STEPS = {"nodes": 16, "links": 32}
"""Steps of what is counted as a pass where every step takes the whole graph."""


def recipe(spec: JobSpec, numerics: Numerics, dataset: Dataset, *, epochs: int, seed: int) -> Recipe:
    """The recipe by job, machine and data set; `resolved` puts the architecture's own values over it.

    flip: whether mirror images are further samples is asked of the data, see `workers.train.mirror`.
    """
    return Recipe(
        epochs=epochs,
        batch_size=spec.trial.batch_size or _usual_batch(dataset),
        learning_rate=spec.trial.learning_rate,
        seed=seed,
        flip=dataset.task in ("image", "segmentation") and mirrors(dataset),
        score=spec.objective.score,
        loss=loss_name(spec.trial.loss, dataset.problem),
        class_weights=class_weights(spec.trial.class_weights, dataset),
        precision=numerics.precision,
        layout=numerics.layout,
        device=spec.trial.device,
        threads=spec.trial.threads,
    )


def _usual_batch(dataset: Dataset) -> int:
    return min(BATCH, most_masks(dataset.info.input_shape)) if dataset.task == "segmentation" else BATCH


def trial_recipe(spec: JobSpec, numerics: Numerics, dataset: Dataset, plan: Plan | None, *, seed: int) -> Recipe:
    """Of a trial of the search: scored at the rungs of the job's plan, or without one after each of its epochs."""
    values = recipe(spec, numerics, dataset, epochs=spec.budget.trial_epochs, seed=seed)
    if plan is None:
        return values
    schedule = SCHEDULE if judged_epochs(spec, plan) else values.schedule
    values = replace(values, subset=plan.share, resolution=plan.resolution, schedule=schedule)
    return counted(values, dataset.task, batch=plan.batch_size, rungs=plan.rungs)


def final_recipe(spec: JobSpec, numerics: Numerics, dataset: Dataset, plan: Plan | None, *, seed: int) -> Recipe:
    """Of a full training: as long as the job's plan says, or without one so many epochs."""
    values = recipe(spec, numerics, dataset, epochs=final_epochs(spec), seed=seed)
    if plan is None:
        return values
    return counted(values, dataset.task, batch=plan.batch_size, rungs=plan.final_rungs)


def counted(values: Recipe, task: str, *, batch: int, rungs: tuple[int, ...]) -> Recipe:
    """Counted in gradient steps of batches that no rule makes smaller."""
    least = ONE_GRAPH_STEPS.get(task, 1)
    return replace(values, batch_size=batch, min_steps=least, epochs=len(rungs), rungs=rungs)


def judged_epochs(spec: JobSpec, plan: Plan) -> tuple[int, ...]:
    """The epochs of a planned job after which trials are compared, () where none is stopped early."""
    if spec.trial.scheduler == "none" or spec.reproducible:
        return ()
    return tuple(range(1, len(plan.rungs)))


def resolved(values: Recipe, *, task: str, training: Mapping[str, Any], problem: str = "classification") -> Recipe:
    """The whole recipe of one training: the job's values, over them the task's and the problem's, over them the
    architecture's own.

    training: decisions of the space, by fields of `workers.train.recipe.Recipe`. A learning rate there is meant for the
    optimizer that it is used with; the job's is meant for AdamW.
    """
    whole = replace(values, **{**TASKS.get(task, {}), **PROBLEMS.get(problem, {}), **training})
    if training.get("optimizer") == "sgd" and "learning_rate" not in training:
        return replace(whole, learning_rate=SGD_RATE * values.learning_rate)
    return whole


def new_trainer(architecture: dict[str, Any], data: JobData, values: Recipe) -> "Trainer":
    """A trainer with freshly drawn weights, as far as they are not inherited from a donor.

    The samples are put on the device once per process. Raises TrialFailure (`out_of_memory`), ValueError for a recipe
    that names no known optimizer.
    """
    import torch

    from space.architecture import Architecture
    from space.build import build

    torch.manual_seed(values.seed)
    graph = Architecture.from_json(architecture)
    module = build(graph)
    if data.donor is not None:
        inherit(module, graph, data.donor)
    if values.resolution is not None and not works_at(graph, values.resolution):
        values = replace(values, resolution=None)
    return trainer_of(module, architecture.get("training", {}), data, values)


def works_at(graph: "Architecture", side: int) -> bool:
    """Whether a network of images or volumes, as it is, takes samples with a longest side of `side` pixels.

    It must be a network of the same weights there: one that flattens its maps is not, one that has too many strides for
    the smaller maps has no shape.
    """
    from archsmith.errors import InvalidArchitecture
    from space.analysis import analyse
    from space.architecture import Architecture
    from workers.train.resize import smaller_sides

    channels, *sides = graph.input_shape
    if not sides:
        return False
    document = {**graph.to_json(), "input_shape": [channels, *smaller_sides(tuple(sides), side)]}
    try:
        smaller = Architecture.from_json(document)
    except InvalidArchitecture:
        return False
    return analyse(smaller).params == analyse(graph).params


def trainer_of(
    module: "nn.Module", training: Mapping[str, Any], data: JobData, values: Recipe, *, rate: float = 1.0
) -> "Trainer":
    """A trainer of an existing module. rate: factor on the resolved learning rate."""
    from workers.train.trainer import Trainer

    whole = resolved(values, task=data.task, training=training, problem=data.problem)
    whole = replace(whole, learning_rate=rate * whole.learning_rate)
    return Trainer(module, _on_device(data, values.device), whole)


def _on_device(data: JobData, name: str) -> "TrainData":
    from workers.train.data import TrainData

    key = (data.key, name)
    if key not in _ON_DEVICE:
        _ON_DEVICE.clear()  # one job at a time in a process
        _ON_DEVICE[key] = TrainData.on(
            name, task=data.task, train=data.train, val=data.val, mean=data.mean, std=data.std,
            problem=data.problem, target_mean=data.target_mean, target_std=data.target_std,
        )  # fmt: skip
    return _ON_DEVICE[key]


def final_epochs(spec: JobSpec) -> int:
    """Epochs of a final training: as the job says, else three times those of a search trial, at least 12."""
    return spec.finalists.epochs or max(12, 3 * spec.budget.trial_epochs)
