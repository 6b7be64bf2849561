"""The `archsmith` command. It speaks HTTP like any other client; `serve` starts the service as a program of its own."""

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from archsmith import __version__, demo, formats, programs, replay, serving
from archsmith.client import DEFAULT_URL, Client
from archsmith.exceptions import ApiError, ClientError, ConflictError, ConnectError, InvalidInputError, NotFoundError
from archsmith.progress import duration, summary, view
from archsmith.values import Job

OK, ENDED_BADLY, WRONG, UNREACHABLE, STATE, INTERRUPTED = 0, 1, 2, 3, 4, 130

EPILOG = """Exit codes: 0 done; 1 the job failed or was cancelled, a download broke, or a bundle is not what it says;
2 wrong usage, or the input was refused; 3 no service answers, or it answers with an error of its own; 4 there is no
such thing, or its state forbids the request; 130 interrupted."""

app = typer.Typer(name="archsmith", epilog=EPILOG, add_completion=False, rich_markup_mode=None)

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help=f"The service; else the variable ARCHSMITH_URL, else {DEFAULT_URL}."),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `archsmith jobs` lists it.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay and show the progress until the job has ended.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archsmith {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    context: typer.Context,
    url: Url = None,
    version: Annotated[  # noqa: ARG001  # the callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Search for neural architectures: start the service, post jobs, watch them, download the winners."""
    context.obj = url


def _client(context: typer.Context, url: str | None) -> Client:
    """`--url` of the command itself, else of `archsmith`, else the variable, else the default."""
    return Client(url or context.obj)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    short_help="Start the service: API, dispatcher, MLflow and a local Ray. `archsmith serve --help` has the options.",
)
def serve(context: typer.Context) -> None:
    """Start the service. All options go to `python -m api.serve` as they stand."""
    serving.become_service(context.args)


@app.command("demo")
def demo_command(
    context: typer.Context,
    url: Url = None,
    trials: Annotated[int, typer.Option(min=1, help="How many architectures to try.")] = demo.TRIALS,
    folder: Annotated[Path, typer.Option(help="Where the service's state and the bundle go.")] = Path(".demo"),
) -> None:
    """Search on the digits data set, up to a checked bundle. Starts and stops its own service unless --url."""
    demo.run(url or context.obj, folder=folder, trials=trials, out=sys.stdout)


@app.command()
def submit(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB.json|-]", help="The job as JSON, - = standard input.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    space: Annotated[str | None, typer.Option(help="A preset's name, or a file with a space document.")] = None,
    controller: Annotated[str | None, typer.Option(help="auto unless said; docs/jobs.md lists them.")] = None,
    trials: Annotated[int | None, typer.Option(help="Budget: architectures to try.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Budget: wall clock of the search.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget: epochs of one trial.")] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(help='What every architecture must keep, "params <= 500000"; repeatable.')
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="none, or asha or hyperband, which stop weak trials early.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the whole search.")] = None,
    watch: Watch = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would cost, by a calibration trial of some seconds.")
    ] = False,
    url: Url = None,
) -> int:
    """Post a job and print its id. Options are laid over the document, so each of the two may be left out."""
    document = _read_job(job)
    plain = {"dataset": dataset, "name": name, "space": _read_space(space), "controller": controller, "seed": seed}
    document.update({key: value for key, value in plain.items() if value is not None})
    _lay(document, "budget", {"trials": trials, "seconds": seconds, "epochs": epochs})
    _lay(document, "objective", {"constraints": constraint or None})
    _lay(document, "trial", {"scheduler": scheduler})
    with _client(context, url) as client:
        if dry_run:
            _print_price(client.price(document))
            return OK
        posted = client.submit(document)
        typer.echo(posted.id)
        if posted.mlflow_url:
            typer.echo(f"watch it in MLflow: {posted.mlflow_url}", err=True)
        return _watch(client, posted.id) if watch else OK


@app.command("watch")
def watch_command(context: typer.Context, job_id: JobId, url: Url = None) -> int:
    """Show a job's progress until it has ended. Ctrl-C ends the watching, not the job."""
    with _client(context, url) as client:
        return _watch(client, job_id)


@app.command()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    url: Url = None,
) -> None:
    """List the jobs, newest first."""
    rows = []
    with _client(context, url) as client:
        for job in islice(client.jobs(state=state, page=min(limit, 100)), limit):
            total = job.progress.trials_total
            best = f"{job.best.search_score:.4f}" if job.best else "-"
            final = f"{job.final_score:.4f}" if job.final_score is not None else "-"
            made = job.created_at.strftime("%Y-%m-%d %H:%M") if job.created_at else "-"
            rows.append([job.id, job.state, job.name, job.dataset, f"{job.progress.done}/{total}", best, final, made])
    _table(["ID", "STATE", "NAME", "DATA SET", "TRIALS", "BEST", "FINAL", "CREATED (UTC)"], rows)


@app.command()
def cancel(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """End a job. Its trials stay in the record; there will be no bundle."""
    with _client(context, url) as client:
        typer.echo(summary(client.cancel(job_id)))


@app.command()
def pause(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Let a job rest; its running trials go on from their checkpoints later."""
    with _client(context, url) as client:
        typer.echo(summary(client.pause(job_id)))


@app.command()
def resume(context: typer.Context, job_id: JobId, url: Url = None) -> None:
    """Put a paused job back into the queue."""
    with _client(context, url) as client:
        typer.echo(summary(client.resume(job_id)))


@app.command()
def download(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    url: Url = None,
) -> None:
    """Fetch a finished job's bundle, checked, and print where it is. A cut transfer goes on where it stopped."""
    with _client(context, url) as client:
        typer.echo(client.download_bundle(job_id, output))


Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The zip that `archsmith download` fetched.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object a line, for programs.")]


@app.command()
def predict(
    bundle: Bundle,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures; .npy or .npz for everything else.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name of each.")] = 3,
    as_json: AsJson = False,
) -> int:
    """Name the classes of files with a bundle, which need no service. No code of the bundle runs."""
    options = ["--top", str(top), *(["--json"] if as_json else []), "--"]
    return programs.run("predict", [*options, str(bundle), *map(str, files)]).returncode


@app.command()
def verify(
    bundle: Bundle,
    no_code: Annotated[bool, typer.Option("--no-code", help="Leave out what runs the bundle's own code.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hold a bundle to its word: sums, weights, and the logits of every form. Runs its model.py unless --no-code."""
    options = [*(["--no-code"] if no_code else []), *(["--json"] if as_json else []), "--"]
    return programs.run("verify", [*options, str(bundle)]).returncode


@app.command("replay")
def replay_command(
    context: typer.Context,
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.json, or the bundle that holds it.")],
    url: Url = None,
) -> int:
    """Run a finished search again and compare: architectures, their order, scores.

    With "reproducible": true they must be equal on the same machine, and the exit code is 1 when they are not.
    """
    before = replay.read(report)
    with _client(context, url) as client:
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
    return _fail("the search is reproducible, and its replay differs", ENDED_BADLY)


@app.command()
def compress(
    context: typer.Context,
    job_id: JobId,
    step: Annotated[
        list[str] | None, typer.Option(help="A step's name; repeatable, in order. docs/jobs.md lists them.")
    ] = None,
    max_drop: Annotated[float | None, typer.Option(help="What all steps may lose of the validation score.")] = None,
    watch: Watch = False,
    url: Url = None,
) -> int:
    """Post a job that makes a finished job's winner smaller, and print its id."""
    with _client(context, url) as client:
        posted = client.compress(job_id, steps=step or (), max_drop=max_drop)
        typer.echo(posted.id)
        return _watch(client, posted.id) if watch else OK


@app.command()
def datasets(context: typer.Context, url: Url = None) -> None:
    """List the data sets that jobs can name."""
    with _client(context, url) as client:
        found = client.datasets()
    shapes = ["×".join(map(str, one.input_shape)) if one.input_shape else "-" for one in found]
    rows = [
        [one.name, one.format, shape, str(one.classes), ", ".join(one.tasks)]
        for one, shape in zip(found, shapes, strict=True)
    ]
    _table(["NAME", "FORMAT", "SHAPE", "CLASSES", "TASKS"], rows)


@app.command()
def upload(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What jobs will call it.")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help="The files to send.")] = None,
    format: Annotated[str | None, typer.Option(help="idx, npz, images, graph or tu; else by the files.")] = None,  # noqa: A002
    path: Annotated[str | None, typer.Option(help="Instead of files: a path on the service's own disk.")] = None,
    image_size: Annotated[int | None, typer.Option(help="For images: the side in pixels to scale them to.")] = None,
    url: Url = None,
) -> None:
    """Make a data set from your files, or from a path below one of the service's data roots."""
    if bool(files) == bool(path):
        raise typer.BadParameter("name the files to send, or --path on the service's disk, one of the two")
    kind = format or formats.guess([Path(path)] if path else files or [])
    if kind is None:
        raise typer.BadParameter(f"the files do not tell the format; add --format {', '.join(formats.FORMATS)}")
    with _client(context, url) as client:
        if path:
            made = client.register_dataset(name, kind, path, image_size=image_size)
        else:
            made = client.upload_dataset(name, kind, files or [], image_size=image_size)
    typer.echo(f"{made.name}: {made.classes} classes of {'×'.join(map(str, made.input_shape or ()))}")


def _print_price(price: dict[str, Any]) -> None:
    """A table of the ranges, durations as people say them."""
    rows = [
        [name, *(duration(phase[part]) for part in ("low", "expected", "high"))]
        for name, phase in [*price["phases"].items(), ("in all", price["seconds"])]
    ]
    rows.append(["trials", *(f"{price['trials'][part]:.0f}" for part in ("low", "expected", "high"))])
    rows.append(["disk", *(f"{price['disk_bytes'][part] / 1e6:.1f} MB" for part in ("low", "expected", "high"))])
    _table(["", "LOW", "EXPECTED", "HIGH"], [[row[0].replace("_", " "), *row[1:]] for row in rows])


def _watch(client: Client, job_id: str) -> int:
    try:
        with view(sys.stdout) as shown:
            job = client.wait(job_id, on_update=shown.show)
    except KeyboardInterrupt:
        typer.echo(f"job {job_id} goes on; `archsmith watch {job_id}` comes back to it", err=True)
        return INTERRUPTED
    if job.state == "succeeded":
        typer.echo(
            f"done in {duration(job.progress.seconds_used)} of search; `archsmith download {job_id}` has the bundle"
        )
        return OK
    return _fail(f"job {job_id} {_ending(job)}", ENDED_BADLY)


def _ending(job: Job) -> str:
    return ("was cancelled" if job.state == "cancelled" else job.state) + (f": {job.reason}" if job.reason else "")


def _read_job(source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{source} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{source} must hold one JSON object")
    return document


def _read_space(space: str | None) -> str | dict[str, Any] | None:
    """A file's document; anything that is no file is a preset's name, for the service to know or refuse."""
    if space is None or not Path(space).is_file():
        return space
    try:
        document = yaml.safe_load(Path(space).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{space} is neither YAML nor JSON: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{space} must hold one space document")
    return document


def _lay(document: dict[str, Any], key: str, values: dict[str, Any]) -> None:
    given = {name: value for name, value in values.items() if value is not None}
    if given:
        under = document.get(key)
        document[key] = {**(under if isinstance(under, dict) else {}), **given}


def _table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _fail(message: str, code: int) -> int:
    typer.echo(f"archsmith: {' '.join(message.split())}", err=True)
    return code


def run(arguments: Sequence[str]) -> int:
    """The whole command; returns its exit code. Every error is one line on standard error."""
    try:
        code = app(list(arguments) or ["--help"], standalone_mode=False, prog_name="archsmith")
    except typer.TyperException as error:
        return _fail(error.format_message(), WRONG)
    except typer.Abort:
        return INTERRUPTED
    except InvalidInputError as error:
        return _fail(str(error), WRONG)
    except (NotFoundError, ConflictError) as error:
        return _fail(str(error), STATE)
    except (ConnectError, ApiError) as error:
        return _fail(str(error), UNREACHABLE)
    except ClientError as error:
        return _fail(str(error), ENDED_BADLY)
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", WRONG)
    except UnicodeDecodeError as error:
        return _fail(f"a file is not UTF-8 text: {error.reason}", WRONG)
    return code if isinstance(code, int) else OK


def main() -> None:
    sys.exit(run(sys.argv[1:]))
