"""The API under many readers and writers: latencies with a queue of jobs behind it.

    python -m benchmarks.load [--jobs 1000] [--threads 8] [--seconds 10] [--json OUT]

Starts an API alone (no dispatcher: the jobs stay queued) on a fresh SQLite ledger, fills it over HTTP, then lets the
threads read and post at once. Every answer counts; anything but the expected status ends the run.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from archsmith.client import Client
from archsmith.serving import free_ports

JOB = {"dataset": "digits", "space": "tiny"}


@contextmanager
def api(state: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    env = os.environ | {"ARCHSMITH_STATE": str(state), "ARCHSMITH_PORT": str(port), "PYTHONSAFEPATH": "1"}
    with (state / "api.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        with Client(url) as client:
            while not client.ready():
                if process.poll() is not None:
                    raise SystemExit(f"the API ended with {process.returncode}: {(state / 'api.log').read_text()}")
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def requests(ids: list[str], rng: random.Random) -> dict[str, Callable[[httpx.Client], httpx.Response]]:
    """What a thread does, by name. Reading is asked for nine times as often as writing."""
    some = rng.choice(ids)
    return {
        "GET a job": lambda http: http.get(f"/v1/jobs/{some}"),
        "GET 50 jobs": lambda http: http.get("/v1/jobs"),
        "GET 50 trials": lambda http: http.get(f"/v1/jobs/{some}/trials"),
        "POST a job": lambda http: http.post("/v1/jobs", json=JOB),
    }


def hammer(url: str, ids: list[str], seed: int, until: float) -> list[tuple[str, float]]:
    """One thread's (request, seconds)."""
    rng, seen = random.Random(seed), []
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        while time.perf_counter() < until:
            offered = requests(ids, rng)
            (name,) = rng.choices(list(offered), weights=[3, 3, 3, 1])
            began = time.perf_counter()
            response = offered[name](http)
            seen.append((name, time.perf_counter() - began))
            assert response.is_success, f"{name}: {response.status_code} {response.text}"
    return seen


def _figures(times: list[float]) -> dict[str, float]:
    return {"count": len(times), "p50_ms": statistics.median(times), "p99_ms": statistics.quantiles(times, n=100)[98]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Latencies of the API under load.")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    local = threading.local()

    with tempfile.TemporaryDirectory() as folder, api(Path(folder)) as url:

        def post(_: int) -> str:
            if not hasattr(local, "client"):
                local.client = Client(url)
            return str(local.client.submit(JOB).id)

        with ThreadPoolExecutor(options.threads) as pool:
            began = time.perf_counter()
            ids = list(pool.map(post, range(options.jobs)))
            print(f"{options.jobs} jobs posted in {time.perf_counter() - began:.1f} s by {options.threads} threads")
            until = time.perf_counter() + options.seconds
            parts = [pool.submit(hammer, url, ids, seed, until) for seed in range(options.threads)]
            seen = [timed for part in parts for timed in part.result()]
    by_name: dict[str, list[float]] = defaultdict(list)
    for name, seconds in seen:
        by_name[name].append(1000 * seconds)
    result = {
        name: {
            "count": len(times),
            "p50_ms": statistics.median(times),
            "p99_ms": statistics.quantiles(times, n=100)[98],
        }
        for name, times in sorted(by_name.items())
    }
    for name, row in result.items():
        print(f"{name:14} {row['count']:6} times   p50 {row['p50_ms']:7.1f} ms   p99 {row['p99_ms']:7.1f} ms")
    print(f"{len(seen) / options.seconds:.0f} requests a second in all")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
