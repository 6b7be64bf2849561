"""A service on prepared rows, and a page of the system's Chromium. Skipped where either is missing."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from api.app import create_app
from api.http.middleware import Edge
from search.ledger import Lease, Ledger, open_ledger
from search.validate import Pool
from tests.browser.rows import fill
from workers.datasets import DataStore
from workers.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WATCH = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective));"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A service in this process. jobs: ids by what they are. lease: of the one that runs."""

    url: str
    ledger: Ledger
    jobs: dict[str, str]
    lease: Lease


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a page did. wrong: errors, told by the console and by scripts. outside: requests to other places."""

    page: "Page"
    wrong: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("pages")
    settings = Settings(state=state, database_url=f"sqlite:///{state / 'archsmith.db'}")
    DataStore(settings.datasets).describe("digits")
    ledger = open_ledger(settings.database_url)
    jobs, lease = fill(ledger, settings, trials=24)
    app = create_app(settings, ledger, edge=Edge(pool=Pool(cpus=2, gpus=0)))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Running(url=f"http://127.0.0.1:{port}", ledger=ledger, jobs=jobs, lease=lease)
    app.state.context.closing.set()
    server.should_exit = True
    thread.join(20)
    ledger.close()


def chromium() -> Path:
    """The system's browser. Skips the test where there is none."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(CHROMIUM)} is on the path")
    return Path(found)


@pytest.fixture(scope="module")  # Playwright's event loop runs in this thread until the end: no other could be started
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    path = chromium()
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def seen(browser: "Browser", running: Running) -> Iterator[Seen]:
    """A page with a fresh storage."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.add_init_script(WATCH)
    found = Seen(page=page)
    page.on("console", lambda message: _note(found, message))
    page.on("pageerror", lambda error: found.wrong.append(str(error)))
    page.on("request", lambda request: _outside(found, request.url, running.url))
    yield found
    context.close()


def _note(seen: Seen, message: Any) -> None:
    if message.type in ("error", "warning"):
        seen.wrong.append(message.text)


def _outside(seen: Seen, url: str, own: str) -> None:
    if not url.startswith((own, "data:", "blob:", "about:")):
        seen.outside.append(url)
