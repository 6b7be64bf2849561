"""`archsmith dataset list | show | delete`, and what `archsmith upload` says of a new data set."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archsmith import formats
from archsmith.commands.dataset_answers import SPLITS, answer_table, in_words, more_facts, noun, number, of_numbers
from archsmith.commands.options import Url, client_of
from archsmith.folders import hidden
from archsmith.values import Dataset, Json

MAX_SHOWN = 5
"""Names of files in one line."""
MAX_COLUMNS = 30
"""Of a table of features."""

app = typer.Typer(name="dataset", help="List, show and remove data sets; `archsmith upload` adds them.")
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The data set's name, as listed by `archsmith dataset list`.")
]


@app.command("list")
def list_datasets(context: typer.Context, url: Url = None) -> None:
    """List the data sets."""
    with client_of(context, url) as client:
        found = client.datasets()
    heads = ["NAME", "FORMAT", "SHAPE", "CLASSES", "TASKS", "PROBLEM", "SAMPLES", "WARNINGS"]
    rows = [
        [
            dataset.name,
            dataset.format,
            dataset.shape or "-",
            str(dataset.classes),
            ", ".join(dataset.tasks),
            dataset.problem,
            number(sum(int(dataset.document.get(split) or 0) for split in SPLITS)),
            str(len(_warnings(dataset.document)) or "-"),
        ]
        for dataset in found
    ]
    _print(_table(heads, rows, numbers=(3, 6, 7)))


@app.command()
def show(context: typer.Context, name: Name, url: Url = None) -> None:
    """Show a data set: splits, classes or other answers, features, and what the check found, with examples."""
    with client_of(context, url) as client:
        dataset = client.dataset(name)
    _print(*_shown(dataset))


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Although succeeded jobs need it for compress, extend and replay.")
    ] = False,
    url: Url = None,
) -> None:
    """Remove a data set. Refused while a job uses it. Jobs keep their reports and bundles."""
    with client_of(context, url) as client:
        client.delete_dataset(name, force=force)
    typer.echo(f"removed {name}")


def format_of(format: str | None, *, path: str | None, files: Sequence[Path]) -> str:  # noqa: A002  # the option's name
    """The given format, or that of the files, or of a path on the service's machine. Raises typer.BadParameter."""
    if bool(files) == bool(path):
        raise typer.BadParameter("give the files to upload, or --path, but not both")
    given = [Path(path)] if path else list(files)
    kind = format or formats.guess(given)
    if kind is not None:
        return kind
    missing = [str(one) for one in given if not one.exists()]
    if missing and files:
        raise typer.BadParameter(f"there is no file or folder {', '.join(missing[:MAX_SHOWN])}")
    choices = f"--format with one of {', '.join(formats.FORMATS)}"
    if missing:
        raise typer.BadParameter(
            f"there is no file or folder {path} on this machine; if the service runs on another one, add {choices}"
        )
    raise typer.BadParameter(f"the format cannot be guessed from the files; add {choices}")


def not_sent(files: Sequence[Path]) -> None:
    """Say on standard error how many files of folders were hidden, and so not sent."""
    names = hidden(files)
    if names:
        count = "1 hidden file was" if len(names) == 1 else f"{len(names)} hidden files were"
        more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
        typer.echo(f"{count} not sent: {', '.join(names[:MAX_SHOWN])}{more}", err=True)


def told(dataset: Dataset) -> None:
    """Counts, splits, classes and scaling of a new data set on standard output, warnings on standard error."""
    document = dataset.document
    typer.echo(
        f"{dataset.name}: {dataset.classes} {noun(dataset)} {'for' if of_numbers(dataset) else 'of'} {dataset.shape}"
    )
    if sizes := _sizes(document):
        typer.echo(sizes)
    if classes := in_words(dataset):
        typer.echo(classes)
    if scaled := (document.get("report") or {}).get("scaled"):
        typer.echo(f"{scaled}; --image-size sets another size")
    for warning in _warnings(document):
        typer.echo(f"warning: {warning}", err=True)
    if left := _left_out(document):
        typer.echo(left, err=True)
    if any(finding["examples"] for finding in _findings(document)):
        typer.echo(f"`archsmith dataset show {dataset.name}` has examples", err=True)


def _sizes(document: Json) -> str:
    parts = [f"{number(document[split])} {split}" for split in SPLITS if document.get(split) is not None]
    return f"{number(sum(document[split] for split in SPLITS))} samples: {', '.join(parts)}" if len(parts) == 3 else ""


def _left_out(document: Json, *, most: int = 5) -> str:
    """Files that were in the upload and hold no samples."""
    files = (document.get("report") or {}).get("ignored_files") or ()
    more = f" and {len(files) - most} more" if len(files) > most else ""
    count = "1 file holds" if len(files) == 1 else f"{len(files)} files hold"
    return f"{count} no samples: {', '.join(map(str, files[:most]))}{more}" if files else ""


def _warnings(document: Json) -> Sequence[str]:
    """Services before there was a check have them in the report only."""
    found: Sequence[str] = document.get("warnings", (document.get("report") or {}).get("warnings", ()))
    return found


def _findings(document: Json) -> Sequence[Json]:
    found: Sequence[Json] = (document.get("check") or {}).get("findings", ())
    return found


def _shown(dataset: Dataset) -> Iterator[Table | Text]:
    document = dataset.document
    yield _table(None, _facts(dataset))
    if heads_and_rows := answer_table(dataset):
        heads, rows = heads_and_rows
        yield _table(heads, rows, numbers=range(1, len(heads)))
    if columns := document.get("columns"):
        rows = [[str(number), name] for number, name in enumerate(columns[:MAX_COLUMNS])]
        more = [["…", f"{len(columns) - MAX_COLUMNS} more"]] if len(columns) > MAX_COLUMNS else []
        yield _table(["COLUMN", "FEATURE"], [*rows, *more], numbers=(0,))
    yield from _found(document)


def _facts(dataset: Dataset) -> list[list[str]]:
    document = dataset.document
    facts: Mapping[str, object] = {
        "name": dataset.name,
        "format": dataset.format,
        "tasks": ", ".join(dataset.tasks),
        "problem": dataset.problem,
        "input shape": dataset.shape,
        "samples": _sizes(document).replace(" samples", ""),
        noun(dataset): dataset.classes,
        **more_facts(dataset),
        "added": document.get("created_at"),
        "bytes": number(document.get("bytes") or 0),
        "scaled": (document.get("report") or {}).get("scaled"),
        "SHA-256": document.get("sha256"),
    }
    return [[name, str(value)] for name, value in facts.items() if value]


def _found(document: Json) -> Iterator[Table | Text]:
    if document.get("check") is None:
        yield Text("not checked: it was added by a version without a check; add it again with --replace")
    findings = _findings(document)
    if findings:
        rows = [[one["rule"].replace("_", " "), _with_examples(one)] for one in findings]
        yield _table(["FOUND", "WHAT"], rows)
    said = tuple(one["detail"] for one in findings)
    for warning in _warnings(document):
        if not warning.startswith(said):
            yield Text(f"warning: {warning}")
    if document.get("check") is not None and not _warnings(document):
        yield Text("the check found nothing")


def _with_examples(finding: Json) -> str:
    return "\n".join([finding["detail"], *(f"  {example}" for example in finding["examples"])])


def _table(heads: Sequence[str] | None, rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD if heads else None, show_header=heads is not None, pad_edge=False)
    for place in range(len(heads or rows[0])):
        right = place in numbers
        table.add_column((heads or [""] * 9)[place], justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as text: a class may be called [red]
    return table


def _print(*parts: Table | Text) -> None:
    """As wide as the terminal; in a pipe wide enough that no line is broken for the sake of a width."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False)
    for part in parts:
        console.print(part)
