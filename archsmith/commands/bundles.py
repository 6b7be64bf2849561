"""Commands on a bundle; all but its download need no service."""

from pathlib import Path
from typing import Annotated

import typer

from archsmith import programs
from archsmith.bundles import provisional
from archsmith.commands.options import JobId, Url, job_of
from archsmith.commands.tables import AsJson

Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle from `archsmith download`.")]


def predict(
    bundle: Bundle,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Image files; .npy or .npz files for other data.")
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of classes or labels to print for each sample.")] = 3,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average each picture with its mirror image, where both mean the same.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Answer for files with a bundle: classes, labels or values. Needs no service, and runs no code of the bundle."""
    options = ["--top", str(top), *(["--mirror"] if mirror else []), *(["--json"] if as_json else []), "--"]
    return programs.run("predict", [*options, str(bundle), *map(str, files)]).returncode


def verify(
    bundle: Bundle,
    no_code: Annotated[bool, typer.Option("--no-code", help="Skip the checks that run the bundle's own code.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check a bundle: checksums, weights, and the logits of each model format. Runs its model.py unless --no-code."""
    options = [*(["--no-code"] if no_code else []), *(["--json"] if as_json else []), "--"]
    return programs.run("verify", [*options, str(bundle)]).returncode


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
