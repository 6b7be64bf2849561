"""The `archsmith` command: a client of the HTTP interface. Only `serve` starts the service, as a process of its own."""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith import (
    __version__,
    bundle_commands,
    dataset_commands,
    demo,
    formats,
    job_commands,
    replay,
    serving,
    setup_commands,
    space_commands,
    steering,
    submit_command,
    tables,
)
from archsmith.bundles import provisional
from archsmith.dataset_commands import format_of, not_sent, told
from archsmith.exceptions import ApiError, ClientError, ConflictError, ConnectError, InvalidInputError, NotFoundError
from archsmith.options import JobId, Url, client_of, job_of
from archsmith.values import Job
from archsmith.watching import CONFLICT, FAILED, INTERRUPTED, INVALID, NO_SERVICE, OK, Watch, fail, watch_job

EPILOG = """Exit codes: 0 done; 1 the job failed or was cancelled, a download is damaged, or a bundle fails its checks;
2 wrong usage or invalid input; 3 no service answers, or it has an internal error; 4 no such job or data set, or its
state forbids the request; 130 interrupted."""

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(name="archsmith", epilog=EPILOG, rich_markup_mode=None, context_settings=HELP)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archsmith {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    context: typer.Context,
    url: Url = None,
    version: Annotated[  # noqa: ARG001  # the callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Search for neural architectures: start the service, post jobs, watch them, download the best models."""
    context.obj = url


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    short_help="Start the service: API, dispatcher, MLflow and a local Ray. `archsmith serve --help` has the options.",
)
def serve(context: typer.Context) -> None:
    """Start the service. All options are passed on to `python -m api.serve`."""
    serving.become_service(context.args)


@app.command("demo")
def demo_command(
    context: typer.Context,
    url: Url = None,
    trials: Annotated[int, typer.Option(min=1, help="How many architectures to try.")] = demo.TRIALS,
    folder: Annotated[Path, typer.Option(help="Folder for the service's state and the bundle.")] = Path(".demo"),
) -> None:
    """Run a search on the digits data set and check its bundle. Starts and stops its own service unless --url."""
    demo.run(url or context.obj, folder=folder, trials=trials, out=sys.stdout)


app.command()(submit_command.submit)


@app.command("watch")
def watch_command(context: typer.Context, job_id: JobId, url: Url = None) -> int:
    """Show a job's progress until it has ended. Ctrl-C stops watching; the job keeps running."""
    with job_of(context, url, job_id) as (client, found):
        return watch_job(client, found)


@app.command()
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


ELSEWHERE: tuple[Callable[..., Any], ...] = (
    steering.cancel, steering.pause, steering.resume, steering.finish, steering.extend,
    job_commands.status, job_commands.show, job_commands.trials, job_commands.curve, job_commands.best,
    job_commands.report, job_commands.logs, job_commands.delete,
    space_commands.spaces, space_commands.validate, space_commands.controllers,
    bundle_commands.predict, bundle_commands.verify, setup_commands.init, setup_commands.doctor,
)  # fmt: skip
for _command in ELSEWHERE:
    app.command()(_command)
app.command("open")(job_commands.open_command)


@app.command()
def download(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write the bundle [default: archsmith-<id>.zip]."),
    ] = None,
    url: Url = None,
) -> None:
    """Download a job's bundle, check its SHA-256 and print its path. Continues an interrupted download.

    Before the job has succeeded, it is the best network so far: then a line on standard error says what is missing.
    """
    with job_of(context, url, job_id) as (client, found):
        path = client.download_bundle(found, output)
    typer.echo(path)
    if (given := provisional(path)) is not None:
        typer.echo(given.words, err=True)


@app.command("replay")
def replay_command(
    context: typer.Context,
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.json, or a bundle with one.")],
    url: Url = None,
) -> int:
    """Run a finished search again and compare architectures, their order and scores.

    A search with "reproducible": true must give the same on the same machine; if it does not, the exit code is 1.
    """
    before = replay.read(report)
    with client_of(context, url) as client:
        posted = client.submit(replay.document(before))
        typer.echo(posted.id)
        ended = watch_job(client, posted.id)
        if ended != OK:
            return ended
        found = replay.compare(before, client.report(posted.id))
    for line in found.lines:
        typer.echo(line)
    if found.same or not before["job"]["document"].get("reproducible"):
        return OK
    return fail('the job says "reproducible": true, but its replay differs; the lines above say where', FAILED)


@app.command()
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


app.add_typer(dataset_commands.app)


@app.command()
def datasets(context: typer.Context, url: Url = None) -> None:
    """List the data sets. `archsmith dataset list` says more."""
    with client_of(context, url) as client:
        found = client.datasets()
    rows = [
        [dataset.name, dataset.format, dataset.shape or "-", str(dataset.classes), ", ".join(dataset.tasks)]
        for dataset in found
    ]
    typer.echo(tables.table(["NAME", "FORMAT", "SHAPE", "CLASSES", "TASKS"], rows))


@app.command()
def upload(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new data set.")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help="Files or folders to upload.")] = None,
    format: Annotated[  # noqa: A002
        str | None, typer.Option(help=f"{', '.join(formats.FORMATS)} [default: guessed from the files].")
    ] = None,
    path: Annotated[str | None, typer.Option(help="A path on the service's machine, instead of files.")] = None,
    image_size: Annotated[int | None, typer.Option(help="For images: side in pixels to which they are scaled.")] = None,
    image_fit: Annotated[str | None, typer.Option(help="For images: how they become squares: auto, crop, pad.")] = None,
    group_by: Annotated[
        str | None, typer.Option(help="For images: file names are equal before this text in a group no split divides.")
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option(help=f"What an answer is: {', '.join(formats.PROBLEMS)} [default: what the answers look like]."),
    ] = None,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="For idx: exchange rows and columns (EMNIST).")
    ] = False,
    kind: Annotated[
        str | None, typer.Option(help=f"What arrays and tables hold: {', '.join(formats.SAMPLE_KINDS)}.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the one of that name.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace it although succeeded jobs need the old one.")
    ] = False,
    url: Url = None,
) -> None:
    """Add a data set from files or folders, or from a path in one of the data roots, and say what was found in it."""
    form = format_of(format, path=path, files=files or [])
    fit: dict[str, Any] = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by}
    fit |= {"transpose": transpose, "problem": problem, "kind": kind}
    with client_of(context, url) as client:
        if path:
            made = client.register_dataset(name, form, path, **fit, replace=replace, force=force)
        else:
            made = client.upload_dataset(name, form, files or [], **fit, replace=replace, force=force)
    told(made)
    not_sent(files or [])


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Every error is one line on standard error."""
    try:
        code = app(list(arguments) or ["--help"], standalone_mode=False, prog_name="archsmith")
    except typer.TyperException as error:
        return fail(error.format_message(), INVALID)
    except typer.Abort:
        return INTERRUPTED
    except InvalidInputError as error:
        return fail(error.words, INVALID)
    except (NotFoundError, ConflictError) as error:
        return fail(error.words, CONFLICT)
    except ApiError as error:
        return fail(error.words, NO_SERVICE)
    except ConnectError as error:
        return fail(str(error), NO_SERVICE)
    except ClientError as error:
        return fail(str(error), FAILED)
    except OSError as error:
        return fail(f"{error.filename or 'input or output'}: {error.strerror or error}", INVALID)
    except UnicodeDecodeError as error:
        return fail(f"a file is not UTF-8 text: {error.reason}", INVALID)
    return code if isinstance(code, int) else OK


def main() -> None:
    sys.exit(run(sys.argv[1:]))
