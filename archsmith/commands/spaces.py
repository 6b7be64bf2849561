"""Commands about what can be searched and how: spaces and controllers."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from archsmith.commands import inputs, tables
from archsmith.commands.options import Url, client_of
from archsmith.commands.tables import AsCsv, AsJson

COSTS = ("params", "macs", "peak_memory_mb", "depth", "receptive_field")


def spaces(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Print this preset's document as JSON.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    url: Url = None,
) -> None:
    """List the presets of search spaces, or print the document of one."""
    with client_of(context, url) as client:
        found = client.spaces()
    if name is None:
        rows = [_preset(item) for item in found]
        tables.show(("name", "data", "stages", "description"), rows, as_json=as_json, as_csv=as_csv)
        return
    documents = {item["name"]: item["document"] for item in found}
    if name not in documents:
        raise typer.BadParameter(f"there is no preset {name!r}; there are {', '.join(sorted(documents))}")
    typer.echo(json.dumps(documents[name], indent=None if as_json else 1))


def _preset(item: dict[str, Any]) -> dict[str, Any]:
    document = item["document"]
    return {
        "name": item["name"],
        "data": document.get("data", "image, volume"),
        "stages": len(document.get("stages") or ()) or None,
        "description": document.get("description"),
    }


def validate(
    context: typer.Context,
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A preset, or a file with a space document.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the data set that it is for.")] = None,
    shape: Annotated[
        str | None, typer.Option(help="Shape of an input in place of a data set, such as 3x32x32.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="With --shape: number of classes.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Check a search space for a data set: its size, and what its architectures cost."""
    if (dataset is None) == (shape is None):
        raise typer.BadParameter("give --dataset, or --shape with --classes")
    fields: dict[str, Any] = {"dataset": dataset}
    if shape is not None:
        fields = {"input_shape": _sides(shape), "classes": classes or 10}
    document = inputs.read_space(space)
    if document is None or (isinstance(document, str) and Path(space).suffix in (".yaml", ".yml", ".json")):
        raise typer.BadParameter(f"there is no file {space}")
    with client_of(context, url) as client:
        found = client.validate_space(document, **fields)
    if as_json:
        typer.echo(json.dumps(found))
        return
    size = f"{found['size']:,}" if found["size"] is not None else f"about 10^{found['size_log10']:.1f}"
    typer.echo(f"{found['name']} is valid: {size} ways to decide, {found['feasible_share']:.0%} keep its constraints")
    rows = [{"cost": name, **found["costs"][name]} for name in COSTS if name in found["costs"]]
    tables.show(("cost", "min", "p25", "p50", "p75", "max"), [_round(row) for row in rows])


def _round(row: dict[str, Any]) -> dict[str, Any]:
    return {key: f"{value:,.0f}" if isinstance(value, float) and value >= 10 else value for key, value in row.items()}


def _sides(shape: str) -> list[int]:
    parts = shape.lower().replace("×", "x").replace(",", "x").split("x")
    if not all(part.strip().isdigit() for part in parts):
        raise typer.BadParameter(f"--shape must be whole numbers such as 3x32x32, got {shape!r}")
    return [int(part) for part in parts]


def controllers(context: typer.Context, as_json: AsJson = False, as_csv: AsCsv = False, url: Url = None) -> None:
    """List the controllers and their options."""
    with client_of(context, url) as client:
        found = client.controllers()
    if as_json:
        tables.show((), found, as_json=True)
        return
    rows = [
        {"controller": item["name"], "option": name, "default": _plain(rule.get("default")), "allowed": _allowed(rule)}
        for item in found
        for name, rule in (item["options"] or {"-": {}}).items()
    ]
    tables.show(("controller", "option", "default", "allowed"), rows, as_csv=as_csv)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else json.dumps(value)


def _allowed(rule: dict[str, Any]) -> str | None:
    if "enum" in rule:
        return ", ".join(map(str, rule["enum"]))
    low, high = rule.get("minimum"), rule.get("maximum")
    return None if low is None and high is None else f"{low} to {high}"
