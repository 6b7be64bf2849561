"""Starting the service from outside its rooms: as a program, never as an import."""

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

# -P: the working directory stays off the import path, so that a user's own `workers/` folder never shadows ours.
SERVE = (sys.executable, "-P", "-m", "api.serve")
_STOP_S = 30.0


def become_service(options: Sequence[str]) -> NoReturn:
    """Replace this process by the service. Signals, output and the exit code are then the service's own."""
    sys.stdout.flush()
    os.execv(SERVE[0], [*SERVE, *options])  # noqa: S606  # no shell is what we want


@contextmanager
def service(state: Path, *, patience_s: float = 120.0) -> Iterator[str]:
    """A service of our own on free ports, state below `state`, its output in `state/serve.log`; stopped at the end.

    Yields its base URL once it is ready. Raises ClientError with the log's last line when it does not come up.
    """
    state.mkdir(parents=True, exist_ok=True)
    port, mlflow_port = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    log = state / "serve.log"
    command = [*SERVE, "--state", str(state), "--port", str(port), "--mlflow-port", str(mlflow_port)]
    with log.open("ab") as out:
        # A session of its own: Ctrl-C in this terminal reaches us alone, and we stop the service in order.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        _until_ready(process, url, log, patience_s)
        yield url
    finally:
        _stop(process)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that were free just now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


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
    return f"{lines[-1].strip()[:300] if lines else 'it said nothing'} (all of it in {log})"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
