"""Commands on a bundle, which need no service."""

from pathlib import Path
from typing import Annotated

import typer

from archsmith import programs
from archsmith.tables import AsJson

Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle from `archsmith download`.")]


def predict(
    bundle: Bundle,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Image files; .npy or .npz files for other data.")
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of classes or labels to print for each sample.")] = 3,
    as_json: AsJson = False,
) -> int:
    """Answer for files with a bundle: classes, labels or values. Needs no service, and runs no code of the bundle."""
    options = ["--top", str(top), *(["--json"] if as_json else []), "--"]
    return programs.run("predict", [*options, str(bundle), *map(str, files)]).returncode


def verify(
    bundle: Bundle,
    no_code: Annotated[bool, typer.Option("--no-code", help="Skip the checks that run the bundle's own code.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check a bundle: checksums, weights, and the logits of each model format. Runs its model.py unless --no-code."""
    options = [*(["--no-code"] if no_code else []), *(["--json"] if as_json else []), "--"]
    return programs.run("verify", [*options, str(bundle)]).returncode
