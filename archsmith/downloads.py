"""Large files over HTTP: downloads that are resumed and checked, and files opened for an upload."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from archsmith.exceptions import ConnectError, DownloadError, api_error

ATTEMPTS = 5
OnBytes = Callable[[int, int | None], None] | None


def download(http: httpx.Client, url: str, target: Path, *, tag: str, on_bytes: OnBytes) -> Path:
    """GET `url` into `target`, by way of `.NAME.TAG.part` beside it, from which an interrupted transfer is resumed.

    What was resumed and is damaged may be made of two files, as the bundle of a running job is replaced now and then;
    it is fetched anew once. Raises ConnectError after ATTEMPTS interruptions without a new byte, DownloadError if the
    SHA-256 differs.
    """
    part = target.with_name(f".{target.name}.{tag}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    cuts, anew = 0, False
    while True:
        before = _size(part)
        try:
            digest = _fetch(http, url, part, on_bytes)
        except httpx.TransportError as error:
            cuts = cuts + 1 if _size(part) == before else 0
            if cuts >= ATTEMPTS:
                raise ConnectError(str(http.base_url), str(error) or type(error).__name__) from error
            time.sleep(0.2 * 2**cuts)
            continue
        got = sha256(part)
        if digest is None or got == digest:
            break
        part.unlink()
        if not before or anew:
            raise DownloadError(
                f"{target.name} is damaged: its SHA-256 is {got}, the service announced {digest}; download it again"
            )
        anew = True
    os.replace(part, target)
    return target


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(http: httpx.Client, url: str, part: Path, on_bytes: OnBytes) -> str | None:
    """One attempt, from the end of `part` on. Returns the SHA-256 that the service announced, if any."""
    have = _size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    with http.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # complete already, or of another bundle: start again from the beginning
            raise httpx.ReadError("the service refused the range", request=response.request)
        if not response.is_success:
            response.read()
            raise api_error(response)
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        done = have if resumed else 0
        length = response.headers.get("content-length")
        total = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as stream:
            for chunk in response.iter_raw():  # as they arrive: what a larger buffer holds is lost with the connection
                stream.write(chunk)
                done += len(chunk)
                if on_bytes is not None:
                    on_bytes(done, total)
        return _announced(response.headers)


def _announced(headers: httpx.Headers) -> str | None:
    """The SHA-256, which the service sends as the entity tag; None if a proxy removed it."""
    tag = headers.get("etag", "").removeprefix("W/").strip('"')
    return tag if re.fullmatch(r"[0-9a-f]{64}", tag) else None


@contextmanager
def opened(paths: Sequence[str | Path]) -> Iterator[list[tuple[str, BinaryIO]]]:
    """The files' names and open streams, closed on exit. Raises OSError, which names the file."""
    with ExitStack() as stack:
        yield [(Path(path).name, stack.enter_context(Path(path).open("rb"))) for path in paths]
