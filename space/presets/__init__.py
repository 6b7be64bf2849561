"""Space documents that come with archsmith, by name."""

from importlib import resources
from typing import Any, cast

from archsmith.errors import NotFound
from space.document.reader import read_text


def names() -> list[str]:
    """All presets, in alphabetical order."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def load(name: str) -> dict[str, Any]:
    """The document of one preset. Raises NotFound."""
    if name not in names():
        raise NotFound("preset", name)
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return cast(dict[str, Any], read_text(text))
