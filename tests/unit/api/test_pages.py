"""The web pages as files: what is served and how, what is vendored, and that nothing is loaded from elsewhere."""

import gzip
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from api.routes import pages
from tests.unit.api.support import Service, check_problem

ROOT = Path(__file__).parents[3]
VENDOR = pages.FOLDER / "vendor"
OWN = sorted(path for path in pages.FOLDER.rglob("*") if path.suffix in pages.TYPES and VENDOR not in path.parents)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]


def test_the_first_page(service: Service) -> None:
    answer = service.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"):
        assert part in policy


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "*/*"])
def test_browsers_get_the_page(service: Service, accept: str) -> None:
    assert service.get("/", headers={"Accept": accept}).status_code == 200


def test_who_wants_json_gets_no_page(service: Service) -> None:
    check_problem(service.get("/", headers={"Accept": "application/json"}), 406, "not_acceptable")


def test_every_file_has_its_type_its_tag_and_both_forms(service: Service) -> None:
    for name, file in pages.files().items():
        plain = service.get(f"/pages/{name}", headers={"Accept-Encoding": "identity"})
        packed = service.get(f"/pages/{name}", headers={"Accept-Encoding": "br, gzip;q=0.8"})
        assert plain.headers["content-type"] == packed.headers["content-type"] == file.media_type
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert plain.content == packed.content == file.plain == gzip.decompress(file.packed)
        assert plain.headers["etag"] != packed.headers["etag"], "one tag, one sequence of bytes"
        assert plain.headers["cache-control"] == "no-cache"
        assert plain.headers["vary"] == "Accept-Encoding"


def test_a_browser_that_has_the_file_is_told_so(service: Service) -> None:
    etag = service.get("/pages/app.js", headers={"Accept-Encoding": "gzip"}).headers["etag"]
    again = service.get("/pages/app.js", headers={"Accept-Encoding": "gzip", "If-None-Match": f'W/{etag}, "x"'})
    assert (again.status_code, again.content) == (304, b"")
    other = service.get("/pages/app.js", headers={"Accept-Encoding": "gzip;q=0", "If-None-Match": etag})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "",
        "none.js",
        "../routes/pages.py",
        "%2e%2e/routes/pages.py",
        "vendor/vendored.json",
        "vendor/preact.d.ts",
        "charts",
    ],
)
def test_no_other_file_is_served(service: Service, name: str) -> None:
    check_problem(service.get(f"/pages/{name}"), 404)


def test_nothing_of_the_pages_is_in_the_api_document(service: Service) -> None:
    assert not any(path == "/" or path.startswith("/pages") for path in service.get("/openapi.json").json()["paths"])


def test_the_wheel_has_every_file() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    for name in pages.files():
        assert f"*{Path(name).suffix}" in patterns, name


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`)\\]+", text)) - {"http://www.w3.org/2000/svg"}
    assert all(address.startswith("http://127.0.0.1:8080") for address in addresses), addresses
    if path.suffix in (".html", ".js"):
        assert not re.search(r"\sstyle=(?!\$\{\{)", text), "the policy forbids style attributes"
        assert "innerHTML" not in text
        assert not re.search(r"\son[a-z]+=\"", text)
        assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", text)
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_import_is_there(path: Path) -> None:
    for target in re.findall(r"(?:from|import)\s+\"(\.[^\"]+)\"", path.read_text(encoding="utf-8")):
        assert (path.parent / target).resolve().is_file(), target


def test_all_modules_are_asked_for_at_once() -> None:
    """Without it a browser finds them import by import: five round trips in place of two."""
    index = (pages.FOLDER / pages.INDEX).read_text(encoding="utf-8")
    asked = set(re.findall(r'(?:href|src)="/pages/([^"]+\.js)"', index))
    assert asked == _imported("app.js") | {"theme.js"}


def _imported(name: str) -> set[str]:
    """The module and all that it imports at once, directly or not."""
    found, open_ = set[str](), {name}
    while open_:
        module = open_.pop()
        found.add(module)
        path = pages.FOLDER / module
        for target in re.findall(r'(?m)^(?:import|export)[^"]*"(\.[^"]+)"', path.read_text(encoding="utf-8")):
            open_ |= {(path.parent / target).resolve().relative_to(pages.FOLDER.resolve()).as_posix()} - found
    return found


def _vendored() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((VENDOR / "vendored.json").read_text())
    return rows


@pytest.mark.parametrize("row", _vendored(), ids=lambda row: row["file"])
def test_vendored_files_are_as_published(row: dict[str, Any]) -> None:
    """By the sum of the published file; a change that was made to it is undone first."""
    data = (VENDOR / row["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    if "change" in row:
        assert data.count(row["change"]["to"].encode()) == 1
        data = data.replace(row["change"]["to"].encode(), row["change"]["from"].encode())
    assert hashlib.sha256(data).hexdigest() == row["source_sha256"]
    assert row["source"].startswith("https://registry.npmjs.org/")
    assert (VENDOR / row["licence_file"]).read_text().strip()


def test_every_vendored_file_is_listed() -> None:
    found = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert found == {row["file"] for row in _vendored()}
