"""Commands that change a job that was posted already."""

from typing import Annotated

import typer

from archsmith.commands.options import JobId, Url, job_of
from archsmith.commands.progress import summary


def cancel(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Cancel a job. Its trials are kept, and the best network so far can be downloaded."""
    with job_of(context, url, job_id) as (client, found):
        typer.echo(summary(client.cancel(found)))


def pause(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Pause a job. Its running trials stop, and continue from their checkpoints when it is resumed."""
    with job_of(context, url, job_id) as (client, found):
        typer.echo(summary(client.pause(found)))


def resume(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Put a paused job back into the queue."""
    with job_of(context, url, job_id) as (client, found):
        typer.echo(summary(client.resume(found)))


def finish(
    context: typer.Context,
    job_id: JobId,
    within: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time for what follows; what does not fit is left out.")
    ] = None,
    url: Url = None,
) -> None:
    """End a job's search now and let it do what follows: final trainings, report and bundle."""
    with job_of(context, url, job_id) as (client, found):
        typer.echo(summary(client.finish(found, within_s=within)))


def extend(
    context: typer.Context,
    job_id: JobId,
    trials: Annotated[int | None, typer.Option(help="Budget: number of trials.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Budget: wall-clock seconds.")] = None,
    total_epochs: Annotated[int | None, typer.Option(help="Budget: epochs of all trials.")] = None,
    url: Url = None,
) -> None:
    """Set limits of a job's budget, higher or lower. A job that has ended goes on with its search."""
    if trials is None and seconds is None and total_epochs is None:
        raise typer.BadParameter("give at least one of --trials, --seconds and --total-epochs")
    with job_of(context, url, job_id) as (client, found):
        typer.echo(summary(client.extend(found, trials=trials, seconds=seconds, total_epochs=total_epochs)))
