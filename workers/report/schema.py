"""The published JSON Schema of `report.json`, which the service serves at `/v1/reports/schema`."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def schema() -> dict[str, Any]:
    """Draft 2020-12."""
    text = files(__package__).joinpath("report.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
