"""Whether a job may start from the weights of an earlier one, and what those have seen."""

from collections.abc import Callable, Iterator

from archsmith.errors import Fault
from search.earlier_jobs.prior import Earlier
from search.spec import JobSpec


def donors(job_id: str | None, spec_of: Callable[[str], JobSpec | None]) -> Iterator[tuple[str, JobSpec]]:
    """The jobs that weights come from, the nearest first: its own may have come from another one's."""
    met: set[str] = set()
    while job_id is not None and job_id not in met and (spec := spec_of(job_id)) is not None:
        met.add(job_id)
        yield job_id, spec
        job_id = spec.init_from


def transfer_faults(spec: JobSpec, data: str, find: Callable[[str], Earlier | None]) -> list[Fault]:
    """What is wrong with `init_from`. data: the kind of data that the new job's networks read."""
    job_id = spec.init_from
    if job_id is None:
        return []
    rule, detail = _fault(job_id, find(job_id), data)
    if not rule:
        rule, detail = _other_splits(spec, find)
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


def _other_splits(spec: JobSpec, find: Callable[[str], Earlier | None]) -> tuple[str, str]:
    """The seed draws the splits: with another one, weights have been trained on what this job tests on."""

    def spec_of(job_id: str) -> JobSpec | None:
        job = find(job_id)
        return None if job is None else job.spec

    for job_id, donor in donors(spec.init_from, spec_of):
        if donor.dataset == spec.dataset and donor.seed != spec.seed:
            return "splits_mismatch", (
                f"job {job_id} was trained on other splits of {spec.dataset!r}, so the weights may have seen what this "
                f"job tests on: use its seed, {donor.seed}"
            )
    return "", ""
