"""The web pages at `/`: a fixed set of files, read when the service starts.

A path is looked up in a dictionary and never reaches the file system. The pages are modules that a browser loads as
they are; what they show comes from the routes under `/v1`.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.http.body import accepts

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parents[1] / "pages"
INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Only files with these endings are served."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Names of files stay the same from version to version: a browser asks each time, and is told 304.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFile:
    """A file as it is sent. etag: without quotes, of the plain bytes."""

    media_type: str
    plain: bytes
    packed: bytes
    etag: str


@cache
def files() -> dict[str, PageFile]:
    """All files of the pages by their path below `FOLDER`."""
    found = sorted(path for path in FOLDER.rglob("*") if path.suffix in TYPES and path.is_file())
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in found}


def _read(path: Path) -> PageFile:
    plain = path.read_bytes()
    return PageFile(
        media_type=TYPES[path.suffix],
        plain=plain,
        packed=gzip.compress(plain, 9, mtime=0),
        etag=hashlib.sha256(plain).hexdigest()[:32],
    )


@router.get("/", dependencies=[accepts("text/html")])
def index(request: Request) -> Response:
    return _answer(request, files()[INDEX])


@router.get("/pages/{name:path}")
def page(request: Request, name: str) -> Response:
    found = files().get(name)
    if found is None:
        raise HTTPException(404)
    return _answer(request, found)


def _answer(request: Request, file: PageFile) -> Response:
    packed = _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{file.etag}{"-gzip" if packed else ""}"'
    headers = {**HEADERS, "ETag": etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(file.packed if packed else file.plain, headers=headers, media_type=file.media_type)


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
