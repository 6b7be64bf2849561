"""Watching a job until it has ended, and the command's exit codes."""

import sys
from typing import Annotated

import typer

from archsmith.client import Client
from archsmith.commands.progress import duration, view
from archsmith.values import Job

OK, FAILED, INVALID, NO_SERVICE, CONFLICT, INTERRUPTED = 0, 1, 2, 3, 4, 130

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show the progress until the job has ended.")]


def watch_job(client: Client, job_id: str) -> int:
    """Show its progress until it has ended -> the exit code. Ctrl-C ends the watching alone."""
    try:
        with view(sys.stdout) as shown:
            job = client.wait(job_id, on_update=shown.show, on_silence=shown.silent)
    except KeyboardInterrupt:
        typer.echo(f"job {job_id} keeps running; `archsmith watch {job_id}` shows it again", err=True)
        return INTERRUPTED
    if job.state == "succeeded":
        typer.echo(
            f"done after {duration(job.progress.seconds_used)} of search; `archsmith download {job_id}` gets the bundle"
        )
        return OK
    return fail(f"job {job_id} {_ending(job)}", FAILED)


def _ending(job: Job) -> str:
    return ("was cancelled" if job.state == "cancelled" else job.state) + (f": {job.reason}" if job.reason else "")


def fail(message: str, code: int) -> int:
    typer.echo(f"archsmith: {' '.join(message.split())}", err=True)
    return code
