"""The `archsmith` command: a client of the HTTP interface. Only `serve` starts the service, as a process of its own."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith import __version__, demo, serving
from archsmith.commands import bundles, datasets, jobs, lists, setup, spaces, steering, submit, upload
from archsmith.commands.options import Url
from archsmith.commands.watching import CONFLICT, FAILED, INTERRUPTED, INVALID, NO_SERVICE, OK, fail
from archsmith.exceptions import ApiError, ClientError, ConflictError, ConnectError, InvalidInputError, NotFoundError

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


ELSEWHERE: tuple[Callable[..., Any], ...] = (
    submit.submit, submit.watch, lists.jobs,
    steering.cancel, steering.pause, steering.resume, steering.finish, steering.extend,
    jobs.status, jobs.show, jobs.trials, jobs.curve, jobs.best, jobs.report, jobs.logs, jobs.delete,
    spaces.spaces, spaces.validate, spaces.controllers,
    bundles.predict, bundles.verify, bundles.download, submit.replay, submit.compress,
    setup.init, setup.doctor, lists.datasets, upload.upload,
)  # fmt: skip
for _command in ELSEWHERE:
    app.command()(_command)
app.command("open")(jobs.open_command)
app.add_typer(datasets.app)


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
