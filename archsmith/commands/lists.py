"""Lists of jobs and of data sets."""

from itertools import islice
from typing import Annotated, Any

import typer

from archsmith.commands import tables
from archsmith.commands.options import Url, client_of
from archsmith.values import Job


def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    as_json: tables.AsJson = False,
    as_csv: tables.AsCsv = False,
    url: Url = None,
) -> None:
    """List the jobs, newest first."""
    with client_of(context, url) as client:
        found = list(islice(client.jobs(state=state, page=min(limit, 100)), limit))
    if as_json:
        tables.show((), [job.document for job in found], as_json=True, as_csv=as_csv)
        return
    heads = ("id", "state", "name", "data set", "trials", "best", "final", "created (utc)")
    tables.show(heads, [_row(job) for job in found], as_csv=as_csv)


def _row(job: Job) -> dict[str, Any]:
    total = "?" if job.progress.trials_total is None else job.progress.trials_total
    return {
        "id": job.id,
        "state": job.state,
        "name": job.name,
        "data set": job.dataset,
        "trials": f"{job.progress.done}/{total}",
        "best": None if job.best is None else job.best.search_score,
        "final": job.final_score,
        "created (utc)": job.created_at.strftime("%Y-%m-%d %H:%M") if job.created_at else None,
    }


def datasets(context: typer.Context, url: Url = None) -> None:
    """List the data sets. `archsmith dataset list` says more."""
    with client_of(context, url) as client:
        found = client.datasets()
    rows = [
        [dataset.name, dataset.format, dataset.shape or "-", str(dataset.classes), ", ".join(dataset.tasks)]
        for dataset in found
    ]
    typer.echo(tables.table(["NAME", "FORMAT", "SHAPE", "CLASSES", "TASKS"], rows))
