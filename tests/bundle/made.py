"""Bundles without a search: a preset's network with random weights, as if a job had ended with it."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from space.architecture import Architecture
from space.build import build
from tests.oracle import batch_of
from tests.spaces import preset, sample, shapes_of
from workers import bundle

REPORT: dict[str, Any] = {
    "schema_version": "1",
    "job": {"name": "small"},
    "finalists": [{"epochs": 12, "seconds": 3.5}],
    "final_score": 0.9,
    "score": "accuracy",
    "measures": {"accuracy": 0.9, "balanced_accuracy": 0.85, "auc": 0.99},
    "search_score": 0.8,
    "chosen_by": "search_score on the validation split; the test split chose nothing",
    "stopped_because": "budget_trials",
    "search_seconds": 12.3,
    "dataset": {
        "name": "digits",
        "sha256": "0" * 64,
        "sizes": {"search_train": 1149, "search_val": 288, "test": 360},
        "split_hashes": {"test": "1" * 64},
    },
    "trials": {"completed": 3, "failed": 1, "pruned": 0},
}


def trained(architecture: Architecture, *, seed: int = 0) -> nn.Module:
    """The network with random weights, and running statistics as some batches leave them."""
    torch.manual_seed(seed)
    module = build(architecture).train()
    with torch.no_grad():
        for number in range(2):
            module(*batch_of(architecture.data, architecture.input_shape, 4, seed=number))
    return module.eval()


def preprocessing(architecture: Architecture, **changes: Any) -> bundle.Preprocessing:
    """Of bytes for pictures and volumes, of marks for the features of nodes."""
    channels, *sides = architecture.input_shape
    labels = tuple(f"class {number}" for number in range(architecture.classes))
    mean, std = ((4.0 + 0.1,) * channels, (2.0 / 3.0,) * channels) if sides else ((0.0,) * channels, (1.0,) * channels)
    fields = {"mean": mean, "std": std, "dtype": "uint8", "labels": labels, "high": 16.0 if sides else 1.0}
    return bundle.Preprocessing(**{**fields, **changes})


def published(folder: Path, architecture: Architecture, **changes: Any) -> bundle.Published:
    """A whole bundle below `folder`. changes: arguments of `publish` in place of those made here."""
    module = trained(architecture)
    weights = save({name: value.contiguous() for name, value in module.state_dict().items()})
    given = preprocessing(architecture)
    if "exports" not in changes:
        task = bundle.ExportTask(architecture=architecture.to_json(), weights=weights, preprocessing=given)
        changes["exports"] = bundle.export(task)
    fields = {"architecture": architecture, "weights": weights, "preprocessing": given, "report": REPORT}
    return bundle.publish(folder, **{**fields, **changes})


def of_preset(name: str, *, seed: int = 0) -> Architecture:
    """One random architecture of a preset, for the smallest inputs that it is tested with."""
    return sample(preset(name, shapes_of(name)[0]), seed)
