"""The web pages in Chromium: bytes of the first load, and the time until a job of many trials is usable.

    python -m benchmarks.pages [--trials 1000 10000 50000] [--repeat 3] [--json build/pages.json]

Needs the Python package `playwright` and the system's Chromium. A ledger is filled with rows as a search leaves them
(two measurements a trial), `python -m api` serves it, and a new browser context opens the job's page.
Usable: from the navigation until the table has its rows and the curve of the best score is painted. Sorted: from a
click on the head of the scores until the table is painted in their order. Shown: from the commit of a trial's end until
its row says so. On a machine with other work, processor_s, the seconds of all
processors that the API and the browser used until then, tells what the times would be without.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from api.routes import pages
from search.ledger import Lease, Ledger, open_ledger
from search.ledger.tables import jobs, measurements, trials
from search.ledger.values import from_micros
from search.spec import JobSpec
from search.trial import Measurement, Outcome, TrialState
from space import presets
from workers.settings import Settings

FIRST_LOAD_BYTES = 150_000
USABLE_S = {10_000: 1.5, 50_000: 4.0}
SHOWN_S = 0.5
EPOCHS = 2
CHUNK = 5_000
SHOWN_TIMES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """api: its process."""

    url: str
    api: int
    ledger: Ledger
    lease: Lease
    trials: int


def first_load() -> dict[str, int]:
    """Bytes of all files that the first page loads, gzipped as they are sent and plain."""
    index = pages.files()[pages.INDEX]
    names = re.findall(r'(?:href|src)="/pages/([^"]+)"', index.plain.decode())
    wanted = [index, *(pages.files()[name] for name in names)]
    return {
        "files": len(wanted),
        "gzip": sum(len(file.packed) for file in wanted),
        "plain": sum(len(file.plain) for file in wanted),
    }


def fill(ledger: Ledger, count: int) -> Lease:
    """A job that runs, with so many trials."""
    ledger.create_job(JobSpec(dataset="digits", space=presets.load("tiny"), name=f"{count} trials"))
    lease = ledger.claim("benchmark", 36_000.0)
    if lease is None:
        raise RuntimeError("the job was not there to be claimed")
    rng = np.random.default_rng(0)
    scores = np.clip(0.6 + 0.3 * rng.beta(5, 2, count) + 0.05 * np.arange(count) / count, 0, 0.999).round(6)
    for begin in range(0, count, CHUNK):
        _insert(ledger, lease.job_id, range(begin, min(begin + CHUNK, count)), scores, rng)
    best = int(scores.argmax())
    with ledger._database.write() as connection:
        changes = {"best_trial": best, "best_score": float(scores[best]), "best_value": float(scores[best])}
        counts = {"trials_completed": count, "phase": "search"}
        connection.execute(sa.update(jobs).where(jobs.c.id == lease.job_id).values(**changes, **counts))
    return lease


def _insert(ledger: Ledger, job_id: str, numbers: range, scores: Any, rng: np.random.Generator) -> None:
    now = time.time_ns() // 1000
    rows = [_trial(job_id, number, float(scores[number]), rng, now) for number in numbers]
    curves = [
        {
            "job_id": job_id, "number": number, "epoch": epoch, "attempt": 1, "measures": {}, "train_loss": 1.0,
            "score": float(scores[number]) * (0.8 if epoch < EPOCHS else 1.0), "seconds": 1.0, "at": from_micros(now),
        }
        for number in numbers for epoch in range(1, EPOCHS + 1)
    ]  # fmt: skip
    with ledger._database.write() as connection:
        connection.execute(sa.insert(trials), rows)
        connection.execute(sa.insert(measurements), curves)


def _trial(job_id: str, number: int, score: float, rng: np.random.Generator, now: int) -> dict[str, Any]:
    choices = {f"stages.{stage}.{name}": int(rng.integers(3)) for stage in range(4) for name in ("kernel", "width")}
    at = from_micros(now + number * 1_000_000)
    return {
        "job_id": job_id, "number": number, "state": "completed", "hash": f"{number:032x}", "choices": choices,
        "architecture": {"schema_version": "2", "nodes": []}, "behaviour": {}, "params": int(10 ** rng.uniform(3, 6)),
        "macs": int(10 ** rng.uniform(5, 8)), "search_score": score, "value": score, "measures": {}, "epochs": EPOCHS,
        "attempts": 1, "seconds": 2.0, "created_at": at, "started_at": at, "finished_at": at,
        "provenance": "random" if number % 8 == 1 else "controller",
    }  # fmt: skip


@contextmanager
def served(count: int) -> Iterator[Served]:
    """The API on a ledger with a job of so many trials."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(state=Path(folder), database_url=f"sqlite:///{folder}/archsmith.db")
        ledger = open_ledger(settings.database_url)
        lease = fill(ledger, count)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        names = {
            "ARCHSMITH_STATE": folder,
            "ARCHSMITH_PORT": str(port),
            "ARCHSMITH_DATABASE_URL": settings.database_url,
        }
        api = subprocess.Popen([sys.executable, "-m", "api"], env={**os.environ, **names}, stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            yield Served(url=f"http://127.0.0.1:{port}", api=api.pid, ledger=ledger, lease=lease, trials=count)
        finally:
            api.terminate()
            api.wait(20)
            ledger.close()


def _wait(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the API did not start within a minute")


def _processor_seconds(api: int) -> float:
    """Of the API and of all processes of the browser, which are those below this one."""
    below, ticks = {os.getpid(), api}, 0
    stats = sorted((int(path.parent.name), path) for path in Path("/proc").glob("[0-9]*/stat"))
    for process, path in stats:
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if process in below or int(fields[1]) in below:
                below.add(process)
                ticks += (int(fields[11]) + int(fields[12])) * (process != os.getpid())
    return ticks / os.sysconf("SC_CLK_TCK")


def usable(browser: Any, on: Served) -> dict[str, float]:
    """Seconds until the page of the job is usable, and until it is sorted."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    begun, spent = time.perf_counter(), _processor_seconds(on.api)
    page.goto(f"{on.url}/#/jobs/{on.lease.job_id}")
    page.wait_for_selector(".trials tbody tr:not(.gap)")
    page.wait_for_selector(".uplot canvas")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    ready, spent = time.perf_counter() - begun, _processor_seconds(on.api) - spent
    page.wait_for_timeout(500)
    begun = time.perf_counter()
    page.get_by_role("button", name="Score").click()
    page.wait_for_selector("th[aria-sort=descending] >> text=Score")
    page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
    found = {"usable_s": ready, "processor_s": spent, "sorted_s": time.perf_counter() - begun}
    context.close()
    return found


def shown(browser: Any, on: Served) -> list[float]:
    """Seconds from the commit of trials' ends to their scores on the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{on.url}/#/jobs/{on.lease.job_id}")
    page.wait_for_selector(".uplot canvas")
    page.wait_for_timeout(2000)
    found = []
    for turn in range(SHOWN_TIMES):
        number, score = on.trials + turn, round(0.1 + turn / 1000, 4)
        known: dict[str, Any] = {
            "architecture": {"nodes": []},
            "hash": f"{number:032x}",
            "choices": {},
            "params": 1,
            "macs": 1,
        }
        on.ledger.add_trial(on.lease, number=number, **known)
        attempt = on.ledger.start_attempt(on.lease, number)
        on.ledger.add_measurement(on.lease, number, attempt, Measurement(epoch=1, score=score, train_loss=1, seconds=1))
        outcome = Outcome(number=number, state=TrialState.COMPLETED, value=score, epochs=1)
        on.ledger.finish_trial(on.lease, number, attempt, outcome, score)
        begun = time.perf_counter()
        page.locator(f".trials tr:has(a:text-is('{number}')):has-text('completed')").wait_for()
        found.append(time.perf_counter() - begun)
        time.sleep(0.13)
    context.close()
    return found


def measured(counts: Sequence[int], repeat: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    path = next(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name))
    found: dict[str, Any] = {"first_load": first_load()}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for count in counts:
            with served(count) as on:
                times = [usable(browser, on) for _ in range(repeat)]
                row = {name: statistics.median(time[name] for time in times) for name in times[0]}
                if count == min(counts):
                    row |= {"shown_p95_s": float(np.quantile(shown(browser, on), 0.95))}
                found[str(count)] = row
                row["load"] = os.getloadavg()[0]
                print(count, {name: round(value, 3) for name, value in row.items()}, flush=True)
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000, 50_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    load = first_load()
    verdict = "ok" if load["gzip"] <= FIRST_LOAD_BYTES else "too large"
    print(f"first load: {load['gzip']:,} bytes gzipped ({load['plain']:,} plain) in {load['files']} files: {verdict}")
    found = measured(given.trials, given.repeat)
    for count, limit in USABLE_S.items():
        if str(count) in found:
            seconds = found[str(count)]["usable_s"]
            verdict = "ok" if seconds <= limit else "late"
            print(f"{count:,} trials usable after {seconds:.2f} s, asked {limit} s: {verdict}")
    p95 = next(row["shown_p95_s"] for row in found.values() if "shown_p95_s" in row)
    print(f"event to pixel, 95th percentile: {p95:.2f} s, asked {SHOWN_S} s: {'ok' if p95 <= SHOWN_S else 'late'}")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
