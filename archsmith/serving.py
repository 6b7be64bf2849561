"""Starting the service as a process of its own: the client imports nothing of it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from archsmith.client import Client
from archsmith.exceptions import ClientError

# -P: the working directory stays off the import path, so that a `workers/` folder there does not shadow ours.
SERVE = (sys.executable, "-P", "-m", "api.serve")
_STOP_S = 30.0


def become_service(options: Sequence[str]) -> NoReturn:
    """Replace this process with the service, which then has its signals, output and exit code."""
    if not {"-h", "--help"} & set(options):
        sys.stderr.write("archsmith: starting the service\n")  # loading it takes seconds
        sys.stderr.flush()
    sys.stdout.flush()
    os.execv(SERVE[0], [*SERVE, *options])  # noqa: S606  # no shell on purpose


@contextmanager
def service(state: Path, *, patience_s: float = 120.0) -> Iterator[str]:
    """A service on free ports with its state in `state` and its output in `state/serve.log`; stopped on exit.

    Yields its base URL once it is ready. Raises ClientError with the last line of the log if it does not start.
    """
    state.mkdir(parents=True, exist_ok=True)
    port, mlflow_port = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    log = state / "serve.log"
    command = [*SERVE, "--state", str(state), "--port", str(port), "--mlflow-port", str(mlflow_port)]
    with log.open("ab") as out:
        # A session of its own: Ctrl-C in this terminal reaches this process only, which then stops the service.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        _until_ready(process, url, log, patience_s)
        yield url
    finally:
        _stop(process)


def free_ports(count: int) -> list[int]:
    """Different ports of the loopback address that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


def _until_ready(process: subprocess.Popen[bytes], url: str, log: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    with Client(url) as client:
        while not client.ready():
            if process.poll() is not None:
                raise ClientError(f"the service ended with exit code {process.returncode}: {_last_line(log)}")
            if time.monotonic() > deadline:
                raise ClientError(f"the service was not ready after {patience_s:g} s: {_last_line(log)}")
            time.sleep(0.2)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1].strip()[:300] if lines else 'no output'} (full log: {log})"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
