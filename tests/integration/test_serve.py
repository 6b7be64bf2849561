"""`archsmith serve` for real: Ray, MLflow, dispatcher and API, their start, their deaths and their end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]


def _ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _ready(url: str) -> Any:
    """What is known of the parts, ready or not."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            return json.load(answer)["details"]
    except urllib.error.HTTPError as error:
        return json.load(error)["details"]


def _family(state: Path) -> set[int]:
    """Every process that names our state folder in its environment: children inherit it."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not dead and f"ARCHSMITH_STATE={state}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found


def _until(condition: Callable[[], object], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.1)


class Serve:
    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.port, self.mlflow_port = _ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, "-m", "api.serve", "--state", str(self.state), "--port", str(self.port)]
        self.command += ["--mlflow-port", str(self.mlflow_port), "--workers", "2"]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """The banner."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(40)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Serve]:
    service = Serve(tmp_path)
    yield service
    if service.process is not None and service.process.poll() is None:
        service.end(signal.SIGTERM)
    for pid in _family(service.state):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_life_of_a_service(service: Serve) -> None:
    banner = service.start()
    assert banner == f"archsmith ready: {service.url}  mlflow: http://127.0.0.1:{service.mlflow_port}\n"
    details = {"ledger": "ok", "mlflow": "ok", "ray": "ok", "dispatcher": "ok"}
    _until(lambda: _ready(service.url) == details, 120)  # the dispatcher may come after the API, its probe takes longer
    _second_serve_is_refused(service)
    _a_cut_upload_leaves_nothing(service)

    # Killed without warning, nothing of it may live on: the next start needs the same ports.
    service.end(signal.SIGKILL)
    _until(lambda: not _family(service.state), 60)

    assert service.start().startswith("archsmith ready")
    _a_dead_dispatcher_comes_back(service)
    watcher = _watch(service)
    started = time.monotonic()
    assert service.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 20
    watcher.join(10)
    assert not watcher.is_alive()
    _until(lambda: not _family(service.state), 15)


def _second_serve_is_refused(service: Serve) -> None:
    ports = [f"--port={_ports()[0]}", f"--mlflow-port={_ports()[1]}"]
    done = subprocess.run([*service.command, *ports], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("archsmith: another archsmith serve uses the state folder")
    done = subprocess.run(service.command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {service.port} is in use" in done.stderr


def _a_cut_upload_leaves_nothing(service: Serve) -> None:
    head = (
        f"POST /v1/datasets HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\nContent-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x.npz"\r\n\r\n'
    )
    uploads = service.state / "uploads"
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(head.encode() + b"x" * 200_000)
        _until(lambda: list(uploads.glob("*/*")), 20)
    _until(lambda: not list(uploads.glob("*")), 20)
    assert "Traceback" not in (service.state / "logs" / "api.log").read_text()


def _a_dead_dispatcher_comes_back(service: Serve) -> None:
    def dispatchers() -> set[int]:
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _family(service.state)}
        return {pid for pid, line in lines.items() if b"api.dispatcher" in line}

    before = dispatchers()
    assert len(before) == 1
    os.kill(before.pop(), signal.SIGKILL)
    _until(lambda: dispatchers() - before, 30)


def _watch(service: Serve) -> threading.Thread:
    """A watcher of a job that never starts; the service's end must not wait for it."""
    body = json.dumps({"dataset": "digits", "space": "tiny"}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{service.url}/v1/jobs", body, headers), timeout=60) as answer:
        job = json.load(answer)
    stream = urllib.request.urlopen(f"{service.url}{job['links']['events']}", timeout=60)

    def read() -> None:
        with contextlib.suppress(OSError, urllib.error.URLError), stream:
            stream.read()

    thread = threading.Thread(target=read)
    thread.start()
    return thread
