"""Many files in two processes: the same results in the same order, refusals with their faults, and no orphans."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.workers.sources import picture, write_zip
from workers.datasets import DataStore
from workers.datasets.ingest import ingest
from workers.datasets.parallel import in_order

BEGIN = """
import json, os, sys, time
from archsmith.errors import InvalidDataset
from workers.datasets import parallel
from workers.datasets.raw import fault
parallel.os.cpu_count = lambda: 2
parallel.allow_processes()
def each(work, count=300):
    return parallel.in_order(work, range(count), reopen=lambda: None)
def told(work):
    try:
        return list(each(work))
    except InvalidDataset as error:
        return [(one.pointer, one.rule) for one in error.faults]
"""


def run(code: str) -> object:
    """What a process of its own prints as JSON."""
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_results_come_in_order_from_two_processes() -> None:
    code = """
def slow(n):
    time.sleep(0.002 if n % 16 < 8 else 0)
    return n, os.getpid()
numbers, workers = zip(*each(slow))
print(json.dumps([list(numbers) == list(range(300)), len(set(workers)), os.getpid() in workers]))
"""
    assert run(code) == [True, 2, False]


def test_refusals_and_the_end_of_a_process_are_told() -> None:
    code = """
def refused(n):
    if n == 250:
        raise fault("image_too_large", "it is", file="a.png")
    return n
def ended(n):
    if n == 250:
        os._exit(3)
    return n
print(json.dumps([told(refused), told(ended)]))
"""
    assert run(code) == [[["/files/a.png", "image_too_large"]], [["", "reader_ended"]]]


def test_few_files_and_other_processes_are_done_by_threads() -> None:
    assert {os.getpid()} == set(in_order(lambda _: os.getpid(), range(300), reopen=lambda: None))
    assert run("print(json.dumps(list(set(each(lambda _: os.getpid(), 200))) == [os.getpid()]))") is True


def test_processes_end_with_the_reader(tmp_path: Path) -> None:
    code = f"""
def work(n):
    open(os.path.join({str(tmp_path)!r}, str(os.getpid())), "w").close()
    time.sleep(60)
list(each(work))
"""
    with subprocess.Popen([sys.executable, "-c", BEGIN + code]) as reader:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        found = [int(path.name) for path in tmp_path.iterdir()]
        reader.send_signal(signal.SIGKILL)
    assert len(found) == 2
    while any(_lives(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in found)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.heavy
def test_an_upload_read_by_two_processes_is_the_same(tmp_path: Path) -> None:
    kinds = ("PNG", "JPEG")
    members = {f"c{n % 3}/{n:03}.{kinds[n % 2].lower()}": picture(n, kind=kinds[n % 2]) for n in range(240)}
    members["c0/torn.png"] = picture(0)[:60]
    path = write_zip(tmp_path / "a.zip", members)
    words = [sys.executable, "-m", "workers.datasets.ingest", "--format", "images", "--name", "a"]
    words += ["--source", str(path), "--store", str(tmp_path / "one")]
    answer = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    threads = ingest("images", path, name="a", store=DataStore(tmp_path / "two"))
    assert answer == {"ok": True, "info": threads.to_json()}
    assert threads.report["corrupt_files"] == ["c0/torn.png"]
