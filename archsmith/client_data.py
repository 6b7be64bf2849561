"""The part of the client that is about spaces, controllers and data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from archsmith import downloads
from archsmith.folders import packed
from archsmith.values import Dataset, Json

NO_LIMIT = httpx.Timeout(10.0, read=None, write=None)
"""Minutes for a large data set, to send it and to have it read."""


def segment(text: str) -> str:
    """An id as one segment of a path, so that no id can lead to another route."""
    return quote(text, safe="") if text.strip(".") else "-"


class DataCalls:
    """Mixed into `Client`."""

    def _json(self, method: str, path: str, **request: Any) -> Json:
        raise NotImplementedError

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        raise NotImplementedError

    def spaces(self) -> list[Json]:
        """The presets, each with `name` and `document`."""
        return list(self._json("GET", "/v1/spaces")["items"])

    def validate_space(self, space: str | Mapping[str, Any], **fields: Any) -> Json:
        """Check a space (a preset's name or a document); returns its size and what samples of it cost.

        fields: `dataset`, or `input_shape` and `classes`. Raises InvalidInputError with every fault.
        """
        return self._json("POST", "/v1/spaces/validate", json={"space": space, **fields})

    def controllers(self) -> list[Json]:
        """The controllers, each with `name` and its `options`: type, range and default."""
        return list(self._json("GET", "/v1/controllers")["items"])

    def datasets(self) -> list[Dataset]:
        return [Dataset.from_json(item) for item in self._json("GET", "/v1/datasets")["items"]]

    def dataset(self, name: str) -> Dataset:
        """A data set; its `document` has what the check found. Raises NotFoundError."""
        return Dataset.from_json(self._json("GET", f"/v1/datasets/{segment(name)}"))

    def delete_dataset(self, name: str, *, force: bool = False) -> None:
        """Remove a data set. Its name is free at once; jobs keep their reports and bundles.

        force: although jobs that have succeeded need it for compress, extend and replay.
        Raises ConflictError while a job uses it, NotFoundError.
        """
        params = {"force": "true"} if force else {}
        self._send("DELETE", f"/v1/datasets/{segment(name)}", params=params)

    def upload_dataset(
        self,
        name: str,
        format: str,  # noqa: A002
        files: Sequence[str | Path],
        *,
        image_size: int | None = None,
        transpose: bool = False,
        image_fit: str | None = None,
        group_by: str | None = None,
        problem: str | None = None,
        kind: str | None = None,
        replace: bool = False,
        force: bool = False,
    ) -> Dataset:
        """Upload files as a new data set. Folders are sent as one zip archive.

        format: one of `archsmith.formats.FORMATS`. image_size: side in pixels to which "images" are scaled; image_fit:
        "auto", "crop" or "pad"; group_by: the part of their file names before this text is a group that no split
        divides. problem: one of `archsmith.formats.PROBLEMS`, by default what the answers look like. kind: what arrays
        and tables hold, "series", "image" or "volume", where their shape does not say it. transpose: whether rows and
        columns of the pictures of "idx" are exchanged. replace: put it in the place of the one of that name, if there
        is one; force: see `delete_dataset`.
        Raises InvalidInputError, which names the file, and ConflictError if the name is taken, or the old one in use.
        """
        given: dict[str, object] = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by}
        given |= {"problem": problem, "kind": kind}
        fields = {"name": name, "format": format} | {key: str(v) for key, v in given.items() if v is not None}
        fields |= {
            key: "true" for key, wanted in (("transpose", transpose), ("replace", replace), ("force", force)) if wanted
        }
        with packed(files) as paths, downloads.opened(paths) as parts:
            sent = [("file", part) for part in parts]
            return Dataset.from_json(self._json("POST", "/v1/datasets", data=fields, files=sent, timeout=NO_LIMIT))

    def register_dataset(
        self,
        name: str,
        format: str,  # noqa: A002
        path: str,
        *,
        image_size: int | None = None,
        transpose: bool = False,
        image_fit: str | None = None,
        group_by: str | None = None,
        problem: str | None = None,
        kind: str | None = None,
        replace: bool = False,
        force: bool = False,
    ) -> Dataset:
        """Make a data set from files in one of the data roots on the service's machine; nothing is sent."""
        given: dict[str, object] = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by}
        given |= {"problem": problem, "kind": kind}
        body: Json = {"name": name, "format": format, "path": path}
        body |= {key: value for key, value in given.items() if value is not None}
        body |= {
            key: True for key, wanted in (("transpose", transpose), ("replace", replace), ("force", force)) if wanted
        }
        return Dataset.from_json(self._json("POST", "/v1/datasets", json=body, timeout=NO_LIMIT))
