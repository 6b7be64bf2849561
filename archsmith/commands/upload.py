"""`archsmith upload`: a new data set from files, folders or a path on the service's machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith import formats
from archsmith.commands.datasets import format_of, not_sent, told
from archsmith.commands.options import Url, client_of


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
