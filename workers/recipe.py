"""From a job's document and the machine's calibration to the recipe of one training, and from there to a trainer."""

from typing import TYPE_CHECKING, Any

import numpy as np

from search.spec import JobSpec
from workers.data import JobData

if TYPE_CHECKING:
    from workers.train import TrainData, Trainer

Recipe = dict[str, Any]
"""The fields of `workers.train.Recipe`, as plain JSON."""

_ON_DEVICE: "dict[tuple[str, str], TrainData]" = {}


def device(spec: JobSpec) -> str:
    return "cuda" if spec.trial.gpus > 0 else "cpu"


def threads(spec: JobSpec) -> int:
    """One thread per CPU of the trial: more make training up to ten times slower."""
    return max(1, int(spec.trial.cpus))


def trial_seed(seed: int, *stream: int) -> int:
    """A seed of its own for each (job seed, trial or finalist), 32 bits."""
    return int(np.random.SeedSequence([seed, *stream]).generate_state(1)[0])


def recipe(spec: JobSpec, *, epochs: int, seed: int, precision: str, layout: str, channels: int) -> Recipe:
    """flip: mirror images are new samples of photographs (3 channels), but other letters, digits or shoes' sides."""
    return {
        "epochs": epochs,
        "batch_size": spec.trial.batch_size,
        "learning_rate": spec.trial.learning_rate,
        "seed": seed,
        "flip": channels == 3,
        "precision": precision,
        "layout": layout,
        "device": device(spec),
        "threads": threads(spec),
    }


def new_trainer(architecture: dict[str, Any], data: JobData, values: Recipe) -> "Trainer":
    """A trainer with freshly drawn weights. The samples are put on the device once per process and kept."""
    import torch

    from space.architecture import Architecture
    from space.build import build
    from workers import train

    torch.manual_seed(values["seed"])
    module = build(Architecture.from_json(architecture))
    return train.Trainer(module, _on_device(data, values["device"]), train.Recipe(**values))


def _on_device(data: JobData, name: str) -> "TrainData":
    from workers.train import TrainData

    key = (data.key, name)
    if key not in _ON_DEVICE:
        _ON_DEVICE.clear()  # one job at a time in a process
        _ON_DEVICE[key] = TrainData.on(name, train=data.train, val=data.val, mean=data.mean, std=data.std)
    return _ON_DEVICE[key]
