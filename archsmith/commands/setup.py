"""Commands for the first day: whether the machine is fit, and a job document to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from archsmith import programs

DOCUMENT = """\
# A search job. `archsmith submit {file} --watch` posts it; docs/jobs.md describes every field.
dataset: {dataset}

# A preset (`archsmith spaces` lists them), or a file with a space of your own: --space FILE.
space: {space}

budget:
  seconds: {seconds}  # wall clock of the whole job, from its start to its bundle

# What is better; params, macs, latency_ms, memory_mb may be minimised beside the score.
objective:
  maximize: [score]
  minimize: []
  constraints: []  # such as "params <= 500000"

controller:
  name: auto  # `archsmith controllers` lists them

seed: 0
"""


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path("job.yaml"),
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "digits",
    space: Annotated[str, typer.Option(help="Name of a preset.")] = "chain",
    seconds: Annotated[int, typer.Option(min=1, help="Wall-clock seconds of the whole job.")] = 1800,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a job document with comments, for `archsmith submit`."""
    if file.exists() and not force:
        raise typer.BadParameter(f"{file} is there already; --force overwrites it")
    file.write_text(DOCUMENT.format(file=file, dataset=dataset, space=space, seconds=seconds), encoding="utf-8")
    typer.echo(file)


def doctor(
    state: Annotated[Path | None, typer.Option(help="Folder for the service's state.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API.")] = None,
    mlflow_port: Annotated[int | None, typer.Option(help="Port of MLflow.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> int:
    """Check whether this machine can run the service, and say what to do where it cannot."""
    given = {"--state": state, "--port": port, "--mlflow-port": mlflow_port}
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return programs.run("doctor", [*options, *(["--json"] if as_json else [])]).returncode
