"""How lists and single things are printed: a table for people, JSON or CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of the width of their longest cell, two spaces apart."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows])
    return "\n".join(line.rstrip() for line in lines)


def show(
    heads: Sequence[str],
    items: Iterable[Mapping[str, Any]],
    *,
    as_json: bool = False,
    as_csv: bool = False,
    empty: str = "",
) -> None:
    """Print items, one a row. heads: the keys of an item, in order; JSON has all of an item's keys.

    None is "-" in a table, null in JSON and nothing in CSV. empty: told on standard error in place of a table without
    rows. Raises BadParameter for both forms at once.
    """
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    rows = [[item.get(head) for head in heads] for item in items]
    if as_csv:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)
        sys.stdout.write(out.getvalue())
    elif rows or not empty:
        cells = [["-" if value is None else _cell(value) for value in row] for row in rows]
        typer.echo(table([head.replace("_", " ").upper() for head in heads], cells))
    else:
        typer.echo(empty, err=True)


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, those that are None or empty left out."""
    kept = [(name, _cell(value)) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        typer.echo(f"{name.ljust(width)}  {value}")


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
