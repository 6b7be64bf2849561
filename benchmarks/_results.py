"""Rows that a benchmark has finished, kept in a JSON file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from workers.atomic import write_whole

T = TypeVar("T")


class Results:
    """Rows by key in a JSON file, written after each, so that an interrupted run goes on where it was.

    path: None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        kept = path is not None and path.is_file()
        self.rows: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path and kept else {}
        if not isinstance(self.rows, dict):
            raise SystemExit(f"{path} has no rows by name: it is of an earlier version, or of another script")

    def row(self, key: str, make: Callable[[], T]) -> T:
        """The stored row, or the one that `make` gives."""
        if key not in self.rows:
            self.rows[key] = make()
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._path, json.dumps(self.rows, indent=1))
        return cast(T, self.rows[key])
