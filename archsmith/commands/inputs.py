"""The documents that `archsmith submit` sends: read from files and completed by options."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml


def read_job(source: str | None) -> dict[str, Any]:
    """The job document in a JSON or YAML file or on standard input ("-"); empty without a source.

    Raises BadParameter.
    """
    if source is None:
        return {}
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except ValueError as error:
        raise typer.BadParameter(f"{source} is not valid JSON: {error}") from None
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{source} is not valid YAML or JSON: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{source} must hold a job document, which is an object (JSON) or a mapping (YAML)")
    return document


def read_space(space: str | None) -> str | dict[str, Any] | None:
    """The space document in a YAML or JSON file. If there is no such file, the text is taken as a preset's name, which
    the service checks. Raises BadParameter.
    """
    if space is None or not Path(space).is_file():
        return space
    try:
        document = yaml.safe_load(Path(space).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{space} is not valid YAML or JSON: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{space} must hold a space document, which is a mapping")
    return document


def override(document: dict[str, Any], section: str, options: Mapping[str, Any]) -> None:
    """Put the options that were given (not None) into a section of the document, over what it says."""
    given = {name: value for name, value in options.items() if value is not None}
    if given:
        before = document.get(section)
        document[section] = {**(before if isinstance(before, dict) else {}), **given}


def read_weights(text: str | None) -> str | list[float] | None:
    """Class weights as they are written on the command line: a word, or numbers between commas. Raises BadParameter."""
    if text is None or text.isalpha():
        return text
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        wanted = "balanced, none, or numbers between commas such as 1,5,2"
        raise typer.BadParameter(f"--class-weights {text!r} cannot be read: give {wanted}") from None


def read_steps(text: str | None) -> dict[str, Any] | None:
    """The section `compress`: names of steps between commas, or "default" for the steps that the service has chosen."""
    if text is None:
        return None
    return {} if text == "default" else {"steps": [step.strip() for step in text.split(",")]}
