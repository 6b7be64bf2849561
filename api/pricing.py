"""What a job would cost: by a calibration trial in a process of its own, so that the API stays free of torch."""

import json
import subprocess
import sys
from typing import Any

from api import process
from api.context import Context
from api.errors import ProblemError
from api.views import View
from search.spec import JobSpec
from workers.cluster import slots as fitting

LIMIT_S = 300.0
MODULE = "workers.pricing.dry_run"


class RangeView(View):
    low: float
    expected: float
    high: float


class CalibrationView(View):
    """An architecture that was trained for a moment. epoch_s: what an epoch of the search takes with it, seconds."""

    macs: int
    params: int
    epoch_s: float


class PricedSpace(View):
    """As in the report on a space, from fewer samples."""

    size_log10: float
    size_exact: bool
    feasible_share: float


class PriceView(View):
    """What a job would cost on a cluster that is otherwise free. trainings: full ones, after the search.

    seconds and hours: wall clock in all; phases: the same by phase. disk_bytes: what stays when the job has ended.
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


def price(context: Context, spec: JobSpec) -> PriceView:
    """The answer of `workers.pricing.dry_run`, one at a time: two would slow each other down and both be wrong.

    Takes about ten seconds and blocks. Raises ProblemError (503) while another one runs, and when the trial fails.
    """
    if not context.pricing.acquire(blocking=False):
        raise ProblemError(503, "busy", "another dry run is being measured", headers={"Retry-After": "15"})
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
        raise ProblemError(503, "calibration_failed", f"the calibration trial took longer than {LIMIT_S:g} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProblemError(503, "calibration_failed", f"the calibration trial failed: {last[:300]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def slots(context: Context, spec: JobSpec) -> int:
    """How many trials of this size the whole cluster holds at once."""
    pool, trial = context.edge.pool, spec.trial
    return fitting.slots(cpus=pool.cpus, gpus=pool.gpus, trial_cpus=trial.cpus, trial_gpus=trial.gpus)
