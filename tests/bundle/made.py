"""Bundles without a search: networks with random weights, as if a job had ended with them."""

import zipfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from space.architecture import Architecture, GraphBuilder
from space.build import build
from tests.oracle import batch_of
from tests.spaces import preset, sample, shapes_of
from workers import bundle

Files = dict[str, bytes]

REPORT: dict[str, Any] = {
    "schema_version": "1",
    "job": {"name": "small"},
    "finalists": [{"epochs": 12, "seconds": 3.5}],
    "final_score": 0.9,
    "score": "accuracy",
    "measures": {"accuracy": 0.9, "balanced_accuracy": 0.85, "auc": 0.99},
    "search_score": 0.8,
    "chosen_by": "search_score on the validation split; the test split was not used",
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
SHAPES = {
    "image": (1, 8, 6),
    "colour": (3, 8, 8),
    "volume": (1, 4, 6, 5),
    "segmentation": (1, 8, 6),
    "series": (2, 12),
    "heartbeats": (1, 12),
    "nodes": (3,),
    "graphs": (3,),
    "links": (3,),
}


def small(kind: str) -> Architecture:
    """A very small network for a kind of data, without torch_geometric. "colour": an image, "heartbeats": a series."""
    g = GraphBuilder(
        SHAPES[kind], 2 if kind == "links" else 3, data={"colour": "image", "heartbeats": "series"}.get(kind, kind)
    )
    x = g.input
    if kind == "segmentation":
        x = g.add("stem.conv", "conv2d", {"out": 4, "kernel": 3, "stride": 2}, x)
        return g.finish(g.add("head.enlarge", "conv_transpose2d", {"out": 3, "kernel": 2, "stride": 2}, x))
    if len(SHAPES[kind]) > 1:
        x = g.add("stem.conv", f"conv{len(SHAPES[kind]) - 1}d", {"out": 4, "kernel": 3}, x)
        x = g.add(
            "head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, g.add("norm", "batch_norm", {}, x))
        )
    elif kind == "graphs":
        x = g.add("readout", "graph_pool", {"how": "mean"}, x)
    elif kind == "links":
        x = g.add("ends", "link_concat", {}, x)
    return g.finish(g.add("head.linear", "linear", {"out": 2 if kind == "links" else 3}, x))


def of_preset(name: str, *, seed: int = 0) -> Architecture:
    """One random architecture of a preset, for the smallest inputs that it is tested with."""
    return sample(preset(name, shapes_of(name)[0]), seed)


def trained(architecture: Architecture) -> nn.Module:
    """The network with random weights, and running statistics as some batches leave them."""
    torch.manual_seed(0)
    module = build(architecture).train()
    with torch.no_grad():
        for number in range(2):
            module(*batch_of(architecture.data, architecture.input_shape, 4, seed=number))
    return module.eval()


def preprocessing(architecture: Architecture, **changes: Any) -> bundle.Preprocessing:
    """Of bytes from 0 to 16 for pictures and volumes, of marks for the features of nodes."""
    channels, *sides = architecture.input_shape
    mean, std = ((4.1,) * channels, (2 / 3,) * channels) if sides else ((0.0,) * channels, (1.0,) * channels)
    labels = tuple(f"class {number}" for number in range(architecture.classes))
    problem = "segmentation" if architecture.data == "segmentation" else "classification"
    fields = {"mean": mean, "std": std, "dtype": "uint8", "labels": labels, "high": 16.0 if sides else 1.0}
    fields |= {"problem": problem}
    return bundle.Preprocessing(**{**fields, **changes})


def weights_of(module: nn.Module) -> bytes:
    return save({name: value.contiguous() for name, value in module.state_dict().items()})


def exported(architecture: Architecture, given: bundle.Preprocessing) -> bundle.Exports:
    weights = weights_of(trained(architecture))
    task = bundle.ExportTask(architecture=architecture.to_json(), weights=weights, preprocessing=given)
    return bundle.export(task)


@cache
def small_exported(kind: str) -> bundle.Exports:
    """Exporting takes a second; all tests of a process share it."""
    return exported(small(kind), preprocessing(small(kind)))


def published(folder: Path, architecture: Architecture, **changes: Any) -> Path:
    """A whole bundle below `folder` -> its zip. changes: arguments of `publish` in place of those made here."""
    given = changes.setdefault("preprocessing", preprocessing(architecture))
    if "exports" not in changes:
        changes["exports"] = exported(architecture, given)
    changes.setdefault("weights", weights_of(trained(architecture)))
    return bundle.publish(folder, architecture=architecture, **{"report": REPORT, **changes}).path


def small_bundle(folder: Path, kind: str, **changes: Any) -> Path:
    """The bundle of `small(kind)`."""
    if "exports" not in changes:
        changes["exports"] = small_exported(kind)
    return published(folder, small(kind), **changes)


def changed(zipped: Path, change: Callable[[Files], None], *, sums: bool = True) -> Path:
    """The archive with other files. sums: whether SHA256SUMS is made to fit, as whoever means harm would."""
    with zipfile.ZipFile(zipped) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if sums:
        lines = (f"{sha256(data).hexdigest()}  {name}\n" for name, data in files.items() if name != "SHA256SUMS")
        files["SHA256SUMS"] = "".join(lines).encode()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return zipped
