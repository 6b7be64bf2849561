"""Whether a job may start from the weights of an earlier one, and which data these were trained on."""

from collections.abc import Callable, Iterator

from archsmith.errors import Fault
from search.earlier_jobs.prior import Earlier
from search.spec import JobSpec


def donors(job_id: str | None, spec_of: Callable[[str], JobSpec | None]) -> Iterator[tuple[str, JobSpec]]:
    """The jobs that weights come from, the nearest first: a donor's own weights may come from another job."""
    seen: set[str] = set()
    while job_id is not None and job_id not in seen and (spec := spec_of(job_id)) is not None:
        seen.add(job_id)
        yield job_id, spec
        job_id = spec.init_from


def transfer_faults(spec: JobSpec, data: str, find: Callable[[str], Earlier | None]) -> list[Fault]:
    """What is wrong with `init_from`. data: the kind of data that the new job's networks take."""
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
        return (
            "job_not_succeeded",
            f"job {job_id} has not succeeded; weights are taken from the bundle of a job that has",
        )
    kinds = {str(trial.architecture["data"]) for trial in job.trials}
    if data not in kinds:
        taken = ", ".join(sorted(kinds)) or "nothing"
        return "data_mismatch", f"the networks of job {job_id} take {taken}, those of this job take {data}"
    return "", ""


def _other_splits(spec: JobSpec, find: Callable[[str], Earlier | None]) -> tuple[str, str]:
    """The seed draws the splits: under another seed the weights were trained on samples that this job tests on."""

    def spec_of(job_id: str) -> JobSpec | None:
        job = find(job_id)
        return None if job is None else job.spec

    for job_id, donor in donors(spec.init_from, spec_of):
        if donor.dataset == spec.dataset and donor.seed != spec.seed:
            return "splits_mismatch", (
                f"job {job_id} was trained on other splits of {spec.dataset!r}, which may hold samples that this job "
                f"tests on; use its seed, {donor.seed}"
            )
    return "", ""
