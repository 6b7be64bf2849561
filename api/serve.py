"""`archsmith serve`: the whole service on one machine.

    serve ── ray head (workers.cluster)     one token, own file
          ├─ workers.tracking.mlflow_server          own database and artifacts in the state folder
          ├─ dispatcher ── drivers          one process per job
          └─ api

All listen on loopback addresses. This file has the checks made before anything is started; the rest is in
api/supervisor.py.
"""

import argparse
import errno
import fcntl
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.dispatcher import JOBS_AT_A_TIME
from api.options import is_loopback, whole_number
from api.supervisor import Options, Supervisor
from archsmith.errors import ArchsmithError, ConfigurationError, Unavailable
from search.ledger import open_ledger
from workers.settings import Settings


def read_options(arguments: Sequence[str] | None, environ: Mapping[str, str] | None = None) -> Options:
    """From the flags, else ARCHSMITH_STATE, _HOST, _PORT, _MLFLOW_PORT, _WORKERS and _JOBS, else the defaults."""
    env = os.environ if environ is None else environ
    parser = argparse.ArgumentParser(prog="archsmith serve", description="Run the whole service on this machine.")
    parser.add_argument(
        "--state",
        default=env.get("ARCHSMITH_STATE") or "archsmith-data",
        help="folder for all state [default: archsmith-data]",
    )
    parser.add_argument(
        "--host",
        default=env.get("ARCHSMITH_HOST") or "127.0.0.1",
        help="loopback address to listen on [default: 127.0.0.1]",
    )
    numbers = {
        "port": (8080, 1, 65_535, "port of the API"),
        "mlflow-port": (5000, 1, 65_535, "port of MLflow"),
        "workers": (os.cpu_count() or 1, 1, 4096, "processors for trials"),
        "jobs": (JOBS_AT_A_TIME, 1, 64, "jobs at the same time"),
    }
    for name, (default, *_, text) in numbers.items():
        variable = "ARCHSMITH_" + name.upper().replace("-", "_")
        parser.add_argument(f"--{name}", default=env.get(variable) or str(default), help=text)
    given = parser.parse_args(arguments)
    values = {}
    for name, (_, low, high, _) in numbers.items():
        field = name.replace("-", "_")
        values[field] = whole_number(f"--{name}", getattr(given, field), low, high)
    if not is_loopback(given.host):
        raise ConfigurationError(
            f"--host {given.host} is not a loopback address; there is no login, so anybody who reaches the port could "
            "use the service: choose 127.0.0.1, ::1 or localhost"
        )
    return Options(state=Path(given.state).absolute(), host=given.host, **values)


def lock_state(state: Path) -> int:
    """Create the state folder (0700) and lock it. Returns the lock's descriptor; closing it gives up the lock."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(state / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"cannot use the state folder {state}: {error.strerror}; choose another with --state"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigurationError(
            f"another archsmith serve uses the state folder {state}; choose another with --state"
        ) from None
    return lock


def check_port(host: str, port: int, flag: str) -> None:
    """Raises ConfigurationError if the port is in use or cannot be opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            raise ConfigurationError(f"port {port} {reason}; choose another with {flag}") from None


def write_token(path: Path) -> None:
    """A new token for each start, in a file that is 0600 from the beginning; Ray's own is readable by everybody."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))


def prepare(options: Options) -> int:
    """Check ports, state folder, settings and ledger. Returns the lock's descriptor. Raises ConfigurationError."""
    check_port(options.host, options.port, "--port")
    check_port("127.0.0.1", options.mlflow_port, "--mlflow-port")
    if options.port == options.mlflow_port:
        raise ConfigurationError(f"--port and --mlflow-port are both {options.port}; they must differ")
    lock = lock_state(options.state)
    settings = Settings.from_env({**os.environ, "ARCHSMITH_STATE": str(options.state)})
    open_ledger(settings.database_url).close()
    write_token(options.state / "ray-token")
    return lock


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 stopped by a signal, 1 a part did not start, 2 wrong options or settings."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    try:
        options = read_options(arguments)
        lock = prepare(options)
    except ArchsmithError as error:
        sys.stderr.write(f"archsmith: {error}\n")
        return 2 if isinstance(error, ConfigurationError) else 1
    supervisor = Supervisor(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop.set())
    try:
        return supervisor.run()
    except Unavailable as error:
        sys.stderr.write(f"archsmith: {error}\n")
        return 1
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
