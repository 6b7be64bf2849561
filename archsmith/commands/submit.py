"""Commands that post a job, by a document, a report or a finished job, and watch it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith import replay as replays
from archsmith.commands import inputs, tables
from archsmith.commands.options import JobId, Url, client_of, job_of
from archsmith.commands.progress import duration
from archsmith.commands.watching import FAILED, OK, Watch, fail, watch_job


def submit(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB|-]", help="File with the job document (YAML or JSON); - for standard input."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the job, for lists and MLflow.")] = None,
    space: Annotated[
        str | None, typer.Option(help="Name of a preset, or a file with a space document (YAML or JSON).")
    ] = None,
    controller: Annotated[
        str | None, typer.Option(help="Name of the controller [default: auto]; docs/jobs.md lists them.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Budget: most trials.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Budget: wall-clock seconds of the whole job [default: 1800].")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget: epochs of each trial, instead of --seconds.")] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(help='Constraint on every architecture, such as "params <= 500000"; repeatable.')
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="asha or hyperband stop weak trials early; none does not.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of the search.")] = None,
    score: Annotated[
        str | None, typer.Option(help="What is maximised, such as balanced_accuracy [default: by the data's problem].")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="What trainings minimise, such as huber [default: by the data's problem].")
    ] = None,
    class_weights: Annotated[
        str | None, typer.Option(help="balanced, or a number for each class, such as 1,5,2 [default: none].")
    ] = None,
    maximize: Annotated[
        list[str] | None,
        typer.Option("--maximize", "--objective", help="Measure that is maximised; repeatable [default: score]."),
    ] = None,
    minimize: Annotated[
        list[str] | None, typer.Option(help="Measure that is minimised beside, such as latency_ms; repeatable.")
    ] = None,
    cpus: Annotated[float | None, typer.Option(help="Processors of each trial.")] = None,
    gpus: Annotated[float | None, typer.Option(help="GPUs of each trial; a share such as 0.5 packs several.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Final trainings of each finalist.")] = None,
    compress: Annotated[
        str | None, typer.Option(help="Compress the winner: default, or steps between commas, in order.")
    ] = None,
    comparison: Annotated[
        str | None, typer.Option(help="share: a part of the trials is random; full: an arm of equal cost.")
    ] = None,
    watch: Watch = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate the cost, from a calibration trial of some seconds.")
    ] = False,
    url: Url = None,
) -> int:
    """Post a job and print its id. Options override the document; either may be left out."""
    document = inputs.read_job(job)
    plain = {
        "dataset": dataset,
        "name": name,
        "space": inputs.read_space(space),
        "controller": controller,
        "seed": seed,
        "comparison": comparison,
        "compress": inputs.read_steps(compress),
    }
    document.update({key: value for key, value in plain.items() if value is not None})
    inputs.override(document, "budget", {"trials": trials, "seconds": seconds, "epochs": epochs})
    inputs.override(document, "objective", {"constraints": constraint or None, "score": score})
    inputs.override(document, "objective", {"maximize": maximize or None, "minimize": minimize or None})
    inputs.override(document, "finalists", {"seeds": seeds})
    weights = inputs.read_weights(class_weights)
    inputs.override(document, "trial", {"scheduler": scheduler, "loss": loss, "class_weights": weights})
    inputs.override(document, "trial", {"cpus": cpus, "gpus": gpus})
    with client_of(context, url) as client:
        if dry_run:
            _print_price(client.price(document))
            return OK
        posted = client.submit(document)
        typer.echo(posted.id)
        if posted.mlflow_url:
            typer.echo(f"MLflow: {posted.mlflow_url}", err=True)
        return watch_job(client, posted.id) if watch else OK


def _print_price(price: dict[str, Any]) -> None:
    """Print the cost estimate as a table, one row per phase."""
    rows = [
        [name, *(duration(phase[part]) for part in ("low", "expected", "high"))]
        for name, phase in [*price["phases"].items(), ("total", price["seconds"])]
    ]
    rows.append(["trials", *(f"{price['trials'][part]:.0f}" for part in ("low", "expected", "high"))])
    rows.append(["disk", *(f"{price['disk_bytes'][part] / 1e6:.1f} MB" for part in ("low", "expected", "high"))])
    typer.echo(tables.table(["", "LOW", "EXPECTED", "HIGH"], [[row[0].replace("_", " "), *row[1:]] for row in rows]))
    for warning in price.get("warnings", []):
        typer.echo(f"warning: {warning}", err=True)


def watch(context: typer.Context, job_id: JobId, url: Url = None) -> int:
    """Show a job's progress until it has ended. Ctrl-C stops watching; the job keeps running."""
    with job_of(context, url, job_id) as (client, found):
        return watch_job(client, found)


def replay(
    context: typer.Context,
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.json, or a bundle with one.")],
    url: Url = None,
) -> int:
    """Run a finished search again and compare architectures, their order and scores.

    A search with "reproducible": true must give the same on the same machine; if it does not, the exit code is 1.
    """
    before = replays.read(report)
    with client_of(context, url) as client:
        posted = client.submit(replays.document(before))
        typer.echo(posted.id)
        ended = watch_job(client, posted.id)
        if ended != OK:
            return ended
        found = replays.compare(before, client.report(posted.id))
    for line in found.lines:
        typer.echo(line)
    if found.same or not before["job"]["document"].get("reproducible"):
        return OK
    return fail('the job says "reproducible": true, but its replay differs; the lines above say where', FAILED)


def compress(
    context: typer.Context,
    job_id: JobId,
    step: Annotated[
        list[str] | None, typer.Option(help="Name of a step; repeatable, in order. docs/jobs.md lists them.")
    ] = None,
    max_drop: Annotated[float | None, typer.Option(help="Validation score that all steps together may lose.")] = None,
    watch: Watch = False,
    url: Url = None,
) -> int:
    """Post a job that compresses the winner of a finished job, and print the new job's id."""
    with job_of(context, url, job_id) as (client, found):
        posted = client.compress(found, steps=step or (), max_drop=max_drop)
        typer.echo(posted.id)
        return watch_job(client, posted.id) if watch else OK
