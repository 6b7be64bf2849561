"""Whether a job may start from the weights of an earlier one."""

from collections.abc import Callable

from archsmith.errors import Fault
from search.prior import Earlier
from search.spec import JobSpec


def transfer_faults(spec: JobSpec, data: str, find: Callable[[str], Earlier | None]) -> list[Fault]:
    """What is wrong with `init_from`. data: the kind of data that the new job's networks read."""
    job_id = spec.init_from
    if job_id is None:
        return []
    rule, detail = _fault(job_id, find(job_id), data)
    return [Fault(pointer="/init_from", rule=rule, detail=detail)] if rule else []


def _fault(job_id: str, job: Earlier | None, data: str) -> tuple[str, str]:
    if job is None:
        return "job_not_found", f"there is no job {job_id!r:.80}"
    if not job.succeeded:
        return "job_not_succeeded", f"job {job_id} has not succeeded: its winner's weights are in its bundle"
    kinds = {str(trial.architecture["data"]) for trial in job.trials}
    if data not in kinds:
        told = ", ".join(sorted(kinds)) or "nothing"
        return "data_mismatch", f"the networks of job {job_id} read {told}, this job's read {data}"
    return "", ""
