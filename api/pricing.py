"""The cost of a job, estimated by a calibration trial in a child process, so that the API needs no torch."""

import json
import subprocess
import sys
from typing import Any

from api import process
from api.context import Context
from api.http.errors import ProblemError
from api.views.live import View
from archsmith.errors import Fault, InvalidInput
from search.spec import JobSpec
from workers.cluster import slots as fitting

LIMIT_S = 300.0
MODULE = "workers.pricing.dry_run"
REFUSED = 3
"""Exit code of the module where the job itself is refused."""


class RangeView(View):
    low: float
    expected: float
    high: float


class CalibrationView(View):
    """An architecture of the calibration trial. epoch_s: seconds of one epoch of the search with it."""

    macs: int
    params: int
    epoch_s: float


class PricedSpace(View):
    """As in `SpaceReport`, from fewer samples."""

    size_log10: float
    size_exact: bool
    feasible_share: float


class PriceView(View):
    """The cost of a job on an otherwise idle cluster. trainings: the full ones, after the search.

    seconds and hours: total wall-clock time; phases: seconds of each. disk_bytes: of the files left by the job.
    warnings: what should perhaps be changed before the job is submitted.
    plan: of a planned job, whose times are not estimated but kept; null for any other.
    """

    trials: RangeView
    trainings: int
    trials_at_once: int
    seconds: RangeView
    hours: RangeView
    disk_bytes: RangeView
    phases: dict[str, RangeView]
    calibration: list[CalibrationView]
    space: PricedSpace
    plan: dict[str, Any] | None = None
    warnings: list[str]


def price(context: Context, spec: JobSpec) -> PriceView:
    """Run `workers.pricing.dry_run`, one at a time: two would slow each other down, and both estimates be wrong.

    Blocks for about ten seconds. Raises ProblemError (503) while another one runs, and when the trial fails.
    """
    if not context.pricing.acquire(blocking=False):
        raise ProblemError(
            503, "busy", "another dry run is in progress; try again in a few seconds", headers={"Retry-After": "15"}
        )
    try:
        return PriceView(**_measured(context, spec))
    finally:
        context.pricing.release()


def _measured(context: Context, spec: JobSpec) -> dict[str, Any]:
    settings = context.settings
    command = [sys.executable, "-m", MODULE, "--slots", str(slots(context, spec))]
    env = process.environment({"ARCHSMITH_STATE": str(settings.state), "ARCHSMITH_DATABASE_URL": settings.database_url})
    try:
        done = subprocess.run(
            command,
            input=json.dumps(spec.to_json()),
            capture_output=True,
            text=True,
            cwd=settings.state,
            env=env,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProblemError(
            503,
            "calibration_failed",
            f"the calibration trial took longer than {LIMIT_S:g} s; the machine may be overloaded",
        ) from None
    if done.returncode == REFUSED:
        raise InvalidInput([Fault(**fault) for fault in json.loads(done.stdout)["faults"]])
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProblemError(503, "calibration_failed", f"the calibration trial failed: {last[:300]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def slots(context: Context, spec: JobSpec) -> int:
    """The number of trials of this job that the cluster runs at the same time."""
    pool, trial = context.edge.pool, spec.trial
    return fitting.slots(cpus=pool.cpus, gpus=pool.gpus, trial_cpus=trial.cpus, trial_gpus=trial.gpus)
