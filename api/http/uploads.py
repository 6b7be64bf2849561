"""multipart/form-data streamed to disk: no file is held in memory, and an interrupted upload leaves nothing behind."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from archsmith.errors import Fault, InvalidInput, MalformedInput, PayloadTooLarge, pointer

MAX_PARTS = 16
MAX_FIELD_BYTES = 1024
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(kw_only=True, slots=True)
class Form:
    """The parts of an upload. fields: text parts by name; files: paths of the file parts, in order."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


async def receive(request: Request, folder: Path, *, limit: int) -> Form:
    """Write the file parts of the request into `folder`. limit: total bytes of all files.

    Raises MalformedInput (multipart_invalid), InvalidInput (too many parts, a field twice) or PayloadTooLarge.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        _malformed("the Content-Type header needs a boundary of 1 to 200 characters")
    sink = _Sink(folder, limit)
    try:
        parser = MultipartParser(boundary, sink.callbacks())  # type: ignore[arg-type]
        async for chunk in request.stream():
            # In a thread, so that a slow disk does not delay other requests.
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
    except FormParserError as error:
        _malformed(str(error)[:200])
    finally:
        sink.close()
    if not sink.ended:
        _malformed("the last boundary is missing; the upload is incomplete")
    return sink.form


def _malformed(detail: str) -> NoReturn:
    raise MalformedInput(Fault(pointer="", rule="multipart_invalid", detail=detail))


def _invalid(rule: str, detail: str, *path: str) -> NoReturn:
    raise InvalidInput(Fault(pointer=pointer(*path), rule=rule, detail=detail))


class _Sink:
    """The callbacks of the parser. It calls them part by part."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.form = Form()
        self.ended = False
        self._folder = folder
        self._left = self._limit = limit
        self._parts = 0
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file: IO[bytes] | None = None

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            _invalid(
                "too_many_parts", f"the upload has more than {MAX_PARTS} parts, the limit for files and fields together"
            )
        self._disposition, self._name, self._text = b"", "", bytearray()

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")[:100]
        if not self._name:
            _malformed("a part has no name in its Content-Disposition header")
        if b"filename" in options:
            label = options[b"filename"].decode("utf-8", "replace")
            self._file = self._path(label).open("xb")

    def _path(self, label: str) -> Path:
        """The sender's file name is kept if it is plain (idx tells its files apart by their names), else replaced by
        one with the same ending."""
        plain = _PLAIN_NAME.fullmatch(label) and not (self._folder / label).exists()
        ending = _ENDING.search(label)
        made = f"upload-{len(self.form.files)}{ending[0] if ending else ''}"
        path = self._folder / (label if plain else made)
        self.form.files.append(path)
        return path

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._left -= end - start
            if self._left < 0:
                raise PayloadTooLarge(self._limit)
            self._file.write(data[start:end])
            return
        self._text.extend(data[start:end])
        if len(self._text) > MAX_FIELD_BYTES:
            _invalid("out_of_range", f"a text field has at most {MAX_FIELD_BYTES} bytes", self._name)

    def _end(self) -> None:
        if self._file is not None:
            self.close()
            return
        if self._name in self.form.fields:
            _invalid("field_duplicate", f"the field {self._name!r} must be given once", self._name)
        self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _finish(self) -> None:
        self.ended = True
