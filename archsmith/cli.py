"""The `archsmith` command: a client of the HTTP interface. Only `serve` starts the service, as a process of its own."""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith import __version__, dataset_commands, demo, formats, inputs, programs, replay, serving, steering
from archsmith.bundles import provisional
from archsmith.client import Client
from archsmith.dataset_commands import told
from archsmith.exceptions import ApiError, ClientError, ConflictError, ConnectError, InvalidInputError, NotFoundError
from archsmith.options import JobId, Url, client_of
from archsmith.progress import duration, view
from archsmith.values import Job

OK, FAILED, INVALID, NO_SERVICE, CONFLICT, INTERRUPTED = 0, 1, 2, 3, 4, 130

EPILOG = """Exit codes: 0 done; 1 the job failed or was cancelled, a download is damaged, or a bundle fails its checks;
2 wrong usage or invalid input; 3 no service answers, or it has an internal error; 4 no such job or data set, or its
state forbids the request; 130 interrupted."""

app = typer.Typer(name="archsmith", epilog=EPILOG, add_completion=False, rich_markup_mode=None)

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show the progress until the job has ended.")]


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


@app.command()
def submit(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB.json|-]", help="File with the job document (JSON); - for standard input."),
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
    }
    document.update({key: value for key, value in plain.items() if value is not None})
    inputs.override(document, "budget", {"trials": trials, "seconds": seconds, "epochs": epochs})
    inputs.override(document, "objective", {"constraints": constraint or None, "score": score})
    weights = inputs.read_weights(class_weights)
    inputs.override(document, "trial", {"scheduler": scheduler, "loss": loss, "class_weights": weights})
    with client_of(context, url) as client:
        if dry_run:
            _print_price(client.price(document))
            return OK
        posted = client.submit(document)
        typer.echo(posted.id)
        if posted.mlflow_url:
            typer.echo(f"MLflow: {posted.mlflow_url}", err=True)
        return _watch(client, posted.id) if watch else OK


@app.command("watch")
def watch_command(context: typer.Context, job_id: JobId, url: Url = None) -> int:
    """Show a job's progress until it has ended. Ctrl-C stops watching; the job keeps running."""
    with client_of(context, url) as client:
        return _watch(client, job_id)


@app.command()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    url: Url = None,
) -> None:
    """List the jobs, newest first."""
    rows = []
    with client_of(context, url) as client:
        for job in islice(client.jobs(state=state, page=min(limit, 100)), limit):
            total = "?" if job.progress.trials_total is None else job.progress.trials_total
            best = f"{job.best.search_score:.4f}" if job.best else "-"
            final = f"{job.final_score:.4f}" if job.final_score is not None else "-"
            made = job.created_at.strftime("%Y-%m-%d %H:%M") if job.created_at else "-"
            rows.append([job.id, job.state, job.name, job.dataset, f"{job.progress.done}/{total}", best, final, made])
    _table(["ID", "STATE", "NAME", "DATA SET", "TRIALS", "BEST", "FINAL", "CREATED (UTC)"], rows)


for _command in (steering.cancel, steering.pause, steering.resume, steering.finish, steering.extend):
    app.command()(_command)


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
    with client_of(context, url) as client:
        path = client.download_bundle(job_id, output)
    typer.echo(path)
    if (given := provisional(path)) is not None:
        typer.echo(given.words, err=True)


Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle from `archsmith download`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command()
def predict(
    bundle: Bundle,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Image files; .npy or .npz files for other data.")
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of classes to print for each sample.")] = 3,
    as_json: AsJson = False,
) -> int:
    """Classify files with a bundle. Needs no service, and runs no code of the bundle."""
    options = ["--top", str(top), *(["--json"] if as_json else []), "--"]
    return programs.run("predict", [*options, str(bundle), *map(str, files)]).returncode


@app.command()
def verify(
    bundle: Bundle,
    no_code: Annotated[bool, typer.Option("--no-code", help="Skip the checks that run the bundle's own code.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check a bundle: checksums, weights, and the logits of each model format. Runs its model.py unless --no-code."""
    options = [*(["--no-code"] if no_code else []), *(["--json"] if as_json else []), "--"]
    return programs.run("verify", [*options, str(bundle)]).returncode


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
        ended = _watch(client, posted.id)
        if ended != OK:
            return ended
        found = replay.compare(before, client.report(posted.id))
    for line in found.lines:
        typer.echo(line)
    if found.same or not before["job"]["document"].get("reproducible"):
        return OK
    return _fail('the job says "reproducible": true, but its replay differs; the lines above say where', FAILED)


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
    with client_of(context, url) as client:
        posted = client.compress(job_id, steps=step or (), max_drop=max_drop)
        typer.echo(posted.id)
        return _watch(client, posted.id) if watch else OK


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
    _table(["NAME", "FORMAT", "SHAPE", "CLASSES", "TASKS"], rows)


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
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the one of that name.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace it although succeeded jobs need the old one.")
    ] = False,
    url: Url = None,
) -> None:
    """Add a data set from files or folders, or from a path in one of the data roots, and say what was found in it."""
    if bool(files) == bool(path):
        raise typer.BadParameter("give the files to upload, or --path, but not both")
    kind = format or formats.guess([Path(path)] if path else files or [])
    if kind is None:
        raise typer.BadParameter(
            f"the format cannot be guessed from the files; add --format with one of {', '.join(formats.FORMATS)}"
        )
    fit: dict[str, Any] = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by}
    fit |= {"transpose": transpose, "problem": problem}
    with client_of(context, url) as client:
        if path:
            made = client.register_dataset(name, kind, path, **fit, replace=replace, force=force)
        else:
            made = client.upload_dataset(name, kind, files or [], **fit, replace=replace, force=force)
    told(made)


def _print_price(price: dict[str, Any]) -> None:
    """Print the cost estimate as a table, one row per phase."""
    rows = [
        [name, *(duration(phase[part]) for part in ("low", "expected", "high"))]
        for name, phase in [*price["phases"].items(), ("total", price["seconds"])]
    ]
    rows.append(["trials", *(f"{price['trials'][part]:.0f}" for part in ("low", "expected", "high"))])
    rows.append(["disk", *(f"{price['disk_bytes'][part] / 1e6:.1f} MB" for part in ("low", "expected", "high"))])
    _table(["", "LOW", "EXPECTED", "HIGH"], [[row[0].replace("_", " "), *row[1:]] for row in rows])
    for warning in price.get("warnings", []):
        typer.echo(f"warning: {warning}", err=True)


def _watch(client: Client, job_id: str) -> int:
    try:
        with view(sys.stdout) as shown:
            job = client.wait(job_id, on_update=shown.show)
    except KeyboardInterrupt:
        typer.echo(f"job {job_id} keeps running; `archsmith watch {job_id}` shows it again", err=True)
        return INTERRUPTED
    if job.state == "succeeded":
        typer.echo(
            f"done after {duration(job.progress.seconds_used)} of search; `archsmith download {job_id}` gets the bundle"
        )
        return OK
    return _fail(f"job {job_id} {_ending(job)}", FAILED)


def _ending(job: Job) -> str:
    return ("was cancelled" if job.state == "cancelled" else job.state) + (f": {job.reason}" if job.reason else "")


def _table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _fail(message: str, code: int) -> int:
    typer.echo(f"archsmith: {' '.join(message.split())}", err=True)
    return code


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Every error is one line on standard error."""
    try:
        code = app(list(arguments) or ["--help"], standalone_mode=False, prog_name="archsmith")
    except typer.TyperException as error:
        return _fail(error.format_message(), INVALID)
    except typer.Abort:
        return INTERRUPTED
    except InvalidInputError as error:
        return _fail(error.words, INVALID)
    except (NotFoundError, ConflictError) as error:
        return _fail(error.words, CONFLICT)
    except ApiError as error:
        return _fail(error.words, NO_SERVICE)
    except ConnectError as error:
        return _fail(str(error), NO_SERVICE)
    except ClientError as error:
        return _fail(str(error), FAILED)
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", INVALID)
    except UnicodeDecodeError as error:
        return _fail(f"a file is not UTF-8 text: {error.reason}", INVALID)
    return code if isinstance(code, int) else OK


def main() -> None:
    sys.exit(run(sys.argv[1:]))
