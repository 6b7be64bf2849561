"""The do-it-yourself search: Ray Tune, Optuna, ASHA and MLflow's file store over a space of small networks.

What a person writes who knows these libraries, with their defaults where there is no reason against them: one processor
a trial, one-cycle AdamW, batch norm, scores after each epoch. Nothing of archsmith is used.
"""

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from torch import nn
from torch.nn import functional as F

SPACE: dict[str, Any] = {
    "stages": tune.choice([2, 3]),
    "depth": tune.choice([1, 2]),
    "width": tune.choice([16, 24, 32, 48]),
    "kernel": tune.choice([3, 5]),
    "dropout": tune.uniform(0.0, 0.4),
    "rate": tune.loguniform(1e-3, 2e-2),
    "batch": tune.choice([64, 128]),
}
Arrays = dict[str, np.ndarray[Any, Any]]


def build(config: Mapping[str, Any], channels: int, classes: int) -> nn.Sequential:
    """(B, channels, H, W) -> (B, classes); each stage doubles the width and halves the sides."""
    layers: list[nn.Module] = []
    for stage in range(config["stages"]):
        width = config["width"] * 2**stage
        for _ in range(config["depth"]):
            layers += [nn.Conv2d(channels, width, config["kernel"], padding="same", bias=False), nn.BatchNorm2d(width)]
            layers += [nn.ReLU()]
            channels = width
        layers += [nn.MaxPool2d(2)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(config["dropout"]), nn.Linear(channels, classes)]
    return nn.Sequential(*layers)


def trial(config: dict[str, Any], data: Arrays, epochs: int) -> None:
    """Trains one network and reports its validation accuracy after each epoch."""
    torch.set_num_threads(1)
    x, y, x_val, y_val = (torch.from_numpy(data[name]) for name in ("x", "y", "x_val", "y_val"))
    scale = 1.0 / max(1.0, float(x.max()))
    module = build(config, x.shape[1], int(y.max()) + 1)
    steps = max(1, len(x) // config["batch"])
    optimizer = torch.optim.AdamW(module.parameters(), lr=config["rate"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config["rate"], total_steps=steps * epochs)
    for _ in range(epochs):
        module.train()
        for rows in torch.split(torch.randperm(len(x))[: steps * config["batch"]], config["batch"]):
            loss = F.cross_entropy(module(x[rows].float() * scale), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        module.eval()
        with torch.inference_mode():
            parts = zip(torch.split(x_val, 500), torch.split(y_val, 500), strict=True)
            right = sum(int((module(part.float() * scale).argmax(1) == of).sum()) for part, of in parts)
        tune.report({"score": right / len(y_val)})


class Best(tune.Callback):
    """When each best score was reached: [seconds, score]."""

    def __init__(self, began: float) -> None:
        self._began, self.rises = began, list[list[float]]()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if not self.rises or result["score"] > self.rises[-1][1]:
            self.rises.append([round(time.monotonic() - self._began, 1), result["score"]])


def search(data: Arrays, *, seconds: float, folder: Path, epochs: int = 8, seed: int = 0) -> dict[str, Any]:
    """x: (N, C, H, W) of the training split and so on -> rises, trials, epochs. The time begins before Ray starts."""
    began = time.monotonic()
    warnings.simplefilter("ignore")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else its trials starve beside any other work
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else refused; a database is slower
    ray.init(address="local", num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)
    best = Best(began)
    try:
        left = seconds - (time.monotonic() - began)
        found = tune.Tuner(
            tune.with_resources(tune.with_parameters(trial, data=data, epochs=epochs), {"cpu": 1}),
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                metric="score", mode="max", num_samples=-1, time_budget_s=left,
                search_alg=OptunaSearch(seed=seed), scheduler=ASHAScheduler(max_t=epochs, grace_period=1),
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder / "tune"), verbose=0,
                callbacks=[best, MLflowLoggerCallback((folder / "mlruns").as_uri(), experiment_name="search")],
            ),
        ).fit()  # fmt: skip
    finally:
        ray.shutdown()
    ended = [found[number].metrics or {} for number in range(len(found))]
    passes = sum(int(metrics.get("training_iteration", 0)) for metrics in ended)
    return {"rises": best.rises, "trials": len(found), "epochs": passes, "seconds": time.monotonic() - began}
