"""Commands that read what a job has done: its state, trials, curves, best architecture and report."""

import json
import webbrowser
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith.commands import sparkline, tables
from archsmith.commands.options import JobId, Url, job_of
from archsmith.commands.progress import duration, summary
from archsmith.commands.tables import AsCsv, AsJson
from archsmith.exceptions import ConflictError
from archsmith.values import Job, Trial

Number = Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="The trial's number.")]
TRIAL_HEADS = ("trial", "state", "score", "epochs", "params", "macs", "seconds", "from", "reason")


def status(context: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Print a job's state in one line."""
    with job_of(context, url, job_id) as (client, found):
        job = client.job(found)
    typer.echo(json.dumps(job.document) if as_json else summary(job))


def show(context: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Show a job: what it searches, its plan, what it has found, what it waits for, where its files are."""
    with job_of(context, url, job_id) as (client, found):
        job = client.job(found)
    if as_json:
        typer.echo(json.dumps(job.document))
        return
    tables.facts(_facts(job))


def _facts(job: Job) -> list[tuple[str, Any]]:
    document = job.document
    spec = document.get("spec") or {}
    plan = document.get("plan") or {}
    best = None if job.best is None else f"{job.best.search_score:.4f} (trial {job.best.trial})"
    return [
        ("job", job.id),
        ("name", job.name),
        ("state", job.state + (f": {job.reason}" if job.reason else "")),
        ("doing", job.doing),
        ("waiting for", job.waiting_for),
        ("data set", job.dataset),
        ("space", (spec.get("space") or {}).get("name")),
        ("controller", (spec.get("controller") or {}).get("name")),
        ("budget", _budget(spec.get("budget") or {})),
        ("planned", f"{plan['architectures']} architectures" if plan.get("architectures") else None),
        ("bundle due", _due(document, plan)),
        ("trials", ", ".join(f"{count} {state}" for state, count in _counts(job).items() if count)),
        ("search used", duration(job.progress.seconds_used)),
        ("best", best),
        ("final score", job.final_score),
        ("bundle", None if job.bundle is None else f"{job.bundle.bytes:,} bytes{_provisional(job)}"),
        ("MLflow", job.mlflow_url),
    ]


def _due(document: dict[str, Any], plan: dict[str, Any]) -> str | None:
    """When the plan's time is over; not known of a job that waits or was paused."""
    started = document.get("started_at")
    if not started or not plan.get("seconds") or document["state"] != "running":
        return None
    due = datetime.fromisoformat(started) + timedelta(seconds=plan["seconds"])
    left = (due - datetime.now(UTC)).total_seconds()
    return f"{due:%H:%M:%S} UTC, in {duration(left)}" if left > 0 else "any moment"


def _budget(budget: dict[str, Any]) -> str:
    words = [duration(budget["seconds"])] if budget.get("seconds") and budget.get("epochs") is None else []
    names = {"trials": "trials", "epochs": "epochs a trial", "total_epochs": "epochs in all"}
    return ", ".join([*words, *(f"at most {budget[key]:g} {word}" for key, word in names.items() if budget.get(key))])


def _counts(job: Job) -> dict[str, int]:
    counts: dict[str, int] = (job.document.get("progress") or {}).get("trials") or {}
    return counts


def _provisional(job: Job) -> str:
    return ", provisional" if job.bundle is not None and job.bundle.provisional else ""


def trials(
    context: typer.Context,
    job_id: JobId,
    state: Annotated[str | None, typer.Option(help="Only trials in this state.")] = None,
    sort: Annotated[str, typer.Option(help="A column, such as score or params; -score is descending.")] = "trial",
    limit: Annotated[int | None, typer.Option(min=1, help="Most rows [default: all].")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    url: Url = None,
) -> None:
    """List a job's trials."""
    key = sort.lstrip("-")
    if key not in TRIAL_HEADS:
        raise typer.BadParameter(f"--sort must be one of {', '.join(TRIAL_HEADS)}, got {key!r}")
    with job_of(context, url, job_id) as (client, found):
        rows = [_row(trial) for trial in client.trials(found) if state in (None, trial.state)]
    known = [row for row in rows if row[key] is not None]
    known.sort(key=lambda row: row[key], reverse=sort.startswith("-"))
    ordered = known + [row for row in rows if row[key] is None]
    tables.show(
        TRIAL_HEADS, islice(ordered, limit), as_json=as_json, as_csv=as_csv, empty="the job has no such trial yet"
    )


def _row(trial: Trial) -> dict[str, Any]:
    document = trial.document
    return {
        "trial": trial.number,
        "state": trial.state,
        "score": trial.search_score,
        "epochs": document.get("epochs"),
        "params": trial.params,
        "macs": trial.macs,
        "seconds": None if trial.seconds is None else round(trial.seconds, 2),
        "from": document.get("provenance"),
        "reason": trial.reason,
        "hash": trial.hash,
        "measures": document.get("measures") or {},
    }


def best(context: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Print the best architecture so far: its score and its costs; with --json its graph."""
    with job_of(context, url, job_id) as (client, found):
        answer = client.best(found)
        trial = client.trial(found, answer["trial"])
    if as_json:
        typer.echo(json.dumps(answer))
        return
    row = _row(trial)
    choices = trial.document.get("choices") or {}
    tables.facts([(name, row[name]) for name in ("trial", "score", "params", "macs", "epochs", "from", "hash")])
    tables.facts(sorted(choices.items()))


def curve(
    context: typer.Context,
    job_id: JobId,
    trial: Annotated[int | None, typer.Option(min=0, help="Only this trial's; of all without.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    url: Url = None,
) -> None:
    """Print learning curves: a line for each trial, or every measurement with --csv or --json."""
    with job_of(context, url, job_id) as (client, found):
        numbers = [one.number for one in client.trials(found)] if trial is None else [trial]
        curves = [(number, client.trial(found, number).measurements) for number in numbers]
    if as_json or as_csv:
        items = [{"trial": number, **measured} for number, points in curves for measured in points]
        tables.show(("trial", "epoch", "score", "train_loss", "seconds"), items, as_json=as_json, as_csv=as_csv)
        return
    for number, points in curves:
        scores = [float(point["score"]) for point in points]
        if scores:
            typer.echo(f"trial {number}  {sparkline.of(scores)}  {scores[0]:.4f} to {scores[-1]:.4f}")


def report(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the page there, a single HTML file.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Print what a finished job found; -o writes the whole report as a page."""
    with job_of(context, url, job_id) as (client, found):
        document = client.report(found)
        if output is not None:
            output.write_text(client.report_page(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document))
        return
    winner = document["winner"]
    score = str(document["score"]).replace("_", " ")
    typer.echo(f"winner: trial {winner['trial']}, {score} {document['final_score']:.4f} on the test split")
    for gain in (document.get("gains") or {}).values():
        typer.echo(gain["words"])
    if simple := document.get("simple_models"):
        typer.echo(simple["words"])
    for warning in document.get("warnings") or ():
        typer.echo(f"warning: {warning}", err=True)
    if output is not None:
        typer.echo(output)


def open_command(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Open a job's page in MLflow with the browser, and print its address."""
    with job_of(context, url, job_id) as (client, found):
        address = client.job(found).mlflow_url
    if address is None:
        raise ConflictError("the job has no page in MLflow yet, or the service runs without MLflow", status=409)
    typer.echo(address)
    webbrowser.open(address)


def logs(
    context: typer.Context,
    job_id: JobId,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000, help="How many lines from the end.")] = 50,
    url: Url = None,
) -> None:
    """Print the end of the log of the process that runs a job."""
    with job_of(context, url, job_id) as (client, found):
        typer.echo(client.log(found, lines=lines), nl=False)


def delete(
    context: typer.Context,
    job_id: JobId,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Its runs in MLflow too.")] = False,
    url: Url = None,
) -> None:
    """Remove an ended job with its trials, report and bundle. Bundles that were downloaded stay."""
    with job_of(context, url, job_id) as (client, found):
        client.delete(found, mlflow=mlflow)
    typer.echo(f"removed {found}")
