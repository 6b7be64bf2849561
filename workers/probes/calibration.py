"""The numerics of a job: fixed by the user, or measured once on a worker of the cluster and kept."""

import hashlib
import json
import logging
import os
import platform
from pathlib import Path
from typing import Any

from archsmith.errors import TrialFailure
from search.planning.rule import BESIDE_S, trial_seconds
from search.planning.values import Plan
from search.spec import JobSpec
from workers.atomic import write_whole
from workers.cluster.tasks import run_tasks
from workers.datasets import Dataset
from workers.train.numerics import Numerics
from workers.train.prepare import judged_epochs

log = logging.getLogger(__name__)

TIMING, STEPS = 0.05, 3
"""Share of a trial's steps that may go into timing, and about how many of the job's own it takes for each setting:
5 to 11 for three (`workers/measures/fastest.py`)."""


def calibrated(spec: JobSpec, dataset: Dataset, state: Path) -> Numerics:
    """The numerics that the user fixed; what is left at "auto" is measured for 3 s on the cluster and kept in `state`.

    Graphs are trained in fp32 whatever the job says: sums over neighbours are implemented in no other number type.
    Series have one layout in memory whatever it says: torch has no other for them.
    Raises TrialFailure where the measurement fails.
    """
    if dataset.info.kind == "graph":
        return Numerics(precision="fp32", layout="nchw", source="fixed")
    wanted = (spec.trial.precision, "nchw" if dataset.info.kind == "series" else spec.trial.layout)
    if "auto" not in wanted:
        return Numerics(precision=wanted[0], layout=wanted[1], source="fixed")
    measured = _measured(spec, dataset.info.input_shape, state)
    fitting = [
        row for row in measured["table"]
        if wanted[0] in ("auto", row["precision"]) and wanted[1] in ("auto", row["layout"])
    ]  # fmt: skip
    if len(fitting) == len(measured["table"]):
        chosen = measured  # nothing fixed: the choice with its margin against noise
    elif fitting:
        chosen = max(fitting, key=lambda row: row["images_per_second"])
    else:
        chosen = {
            "precision": wanted[0] if wanted[0] != "auto" else "fp32",
            "layout": wanted[1] if wanted[1] != "auto" else "nchw",
        }
    return Numerics(
        precision=chosen["precision"], layout=chosen["layout"], source="calibration", table=tuple(measured["table"])
    )


def admissible(spec: JobSpec, numerics: Numerics, plan: Plan | None) -> tuple[tuple[str, str], ...]:
    """Pairs of precision and layout among which each trial of a planned job takes what is fastest for its network.

    None in a reproducible job, and where timing them would take more than TIMING of an average trial.
    """
    if plan is None or spec.reproducible or numerics.source != "calibration":
        return ()
    wanted = (spec.trial.precision, spec.trial.layout)
    pairs = tuple((row["precision"], row["layout"]) for row in numerics.table)
    pairs = tuple(pair for pair in pairs if all(own in ("auto", one) for own, one in zip(wanted, pair, strict=True)))
    halving = bool(judged_epochs(spec, plan))
    steps = trial_seconds(plan.rungs, step_s=1.0, score_s=0.0, halving=halving) - BESIDE_S
    return pairs if len(pairs) > 1 and STEPS * len(pairs) <= TIMING * steps else ()


def _measured(spec: JobSpec, shape: tuple[int, ...], state: Path) -> dict[str, Any]:
    machine = [platform.node(), platform.machine(), os.cpu_count(), shape, spec.trial.device, spec.trial.threads]
    key = hashlib.sha256(json.dumps(machine).encode()).hexdigest()[:16]
    path = state / "calibrations" / f"{key}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    task = {"shape": list(shape), "device": spec.trial.device, "threads": spec.trial.threads}
    [(_, measured)] = run_tasks(_calibrate, [task], shared=None, cpus=spec.trial.cpus, gpus=spec.trial.gpus)
    if isinstance(measured, TrialFailure):
        raise measured
    write_whole(path, json.dumps(measured))
    return measured


def _calibrate(task: dict[str, Any], shared: None) -> dict[str, Any]:  # noqa: ARG001  # run_tasks' signature
    from workers.measures.calibrate import calibrate

    return calibrate(tuple(task["shape"]), device=task["device"], threads=task["threads"]).to_json()
