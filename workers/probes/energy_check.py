"""Checks on a worker, before any trial, that a job's energy can be measured."""

from typing import Any

from archsmith.errors import JobFailure, TrialFailure
from search.objective import Objective
from search.spec import JobSpec
from workers.cluster.tasks import run_tasks
from workers.measures.energy import meter


def check_energy(spec: JobSpec) -> None:
    """Raises JobFailure, before any trial, when the job asks for energy and a worker of the cluster cannot tell it.

    It cannot be refused at submission: who takes jobs need not be a machine that trains.
    """
    if "energy_j" not in Objective.of(spec.objective).needs:
        return
    trial = spec.trial
    [(_, fault)] = run_tasks(_fault, [trial.device], shared=None, cpus=trial.cpus, gpus=trial.gpus)
    if isinstance(fault, TrialFailure):
        raise fault
    if fault is not None:
        raise JobFailure(f"the objective energy_j cannot be measured: {fault}")


def _fault(device: str, shared: Any) -> str | None:  # noqa: ARG001  # run_tasks' signature
    found = meter(device)
    return found if isinstance(found, str) else None
