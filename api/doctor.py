"""`archsmith doctor`: whether this machine can run the service, and what to do where it cannot.

Each check gives what was found and, where that is not well, the cure. Nothing is changed and nothing is started but a
file in the state folder that is removed again.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

OK, WARNING, WRONG = "ok", "warning", "wrong"
GIB = 1024**3
LEAST_PYTHON = (3, 11)
PACKAGES = ("archsmith", "torch", "ray", "optuna", "mlflow", "fastapi", "onnxruntime")
MEMORY = (2 * GIB, 6 * GIB)
"""Of the machine: below the first value trials are killed, below the second two at a time are a risk. A trial's process
takes about 0.6 GB before its data, and a service has MLflow, Ray and the API beside them (2 GB)."""
DISK = (1 * GIB, 5 * GIB)
SHARED_MEMORY = (64 * 1024**2, GIB)
"""Of /dev/shm, where Ray keeps the data sets of running jobs; containers have 64 MB unless they are told otherwise."""
SHARED = Path("/dev/shm")  # noqa: S108  # it is only looked at
FILES = 4096
CLOCK_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at. state: OK, WARNING or WRONG. cure: what to do; "" where nothing is to be done."""

    name: str
    state: str
    found: str
    cure: str = ""


def checks(state: Path, ports: Sequence[int]) -> Iterator[Check]:
    """All checks, in the order in which a person would make them."""
    yield _python()
    yield _packages()
    yield _processors()
    yield _memory()
    yield _room("shared memory", SHARED, SHARED_MEMORY, "start the container with --shm-size=2g or more")
    yield _room("temporary files", Path(tempfile.gettempdir()), DISK, "free some space, or set TMPDIR to another disk")
    yield _room("disk", _existing(state), DISK, "free some space, or choose another folder with --state")
    yield _writable(state)
    yield _open_files()
    yield _gpu()
    yield _clock(state)
    for port in ports:
        yield _port(port)


def _python() -> Check:
    found = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info >= LEAST_PYTHON:
        return Check(name="python", state=OK, found=found)
    return Check(name="python", state=WRONG, found=found, cure="install Python 3.11 or later and archsmith in it")


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if not missing:
        return Check(name="packages", state=OK, found=", ".join(found))
    cure = f"install {', '.join(missing)}: `make install`, or `pip install` of archsmith's wheel"
    return Check(name="packages", state=WRONG, found=", ".join(found) or "none", cure=cure)


def _processors() -> Check:
    usable, limit = len(os.sched_getaffinity(0)), _cgroup_processors()
    found = f"{usable} of {os.cpu_count()}" + (f", of which this container may use {limit:g}" if limit else "")
    if limit and limit + 0.5 < usable:
        cure = f"start the service with --workers {max(1, int(limit))}, so that trials do not wait for each other"
        return Check(name="processors", state=WARNING, found=found, cure=cure)
    return Check(name="processors", state=OK, found=found)


def _cgroup_processors(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """The limit of cgroups (version 2) in processors; None where there is none."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _memory() -> Check:
    whole, free = _meminfo()
    limit = _number(Path("/sys/fs/cgroup/memory.max"))
    most = min(whole, limit) if limit else whole
    found = f"{most / GIB:.1f} GiB, {free / GIB:.1f} free" + (" (limited by the container)" if most < whole else "")
    cure = "give the machine or the container more memory, or start the service with --workers 1"
    return Check(name="memory", state=_level(min(most, free), MEMORY), found=found, cure=cure if most else "")


def _meminfo() -> tuple[int, int]:
    """Bytes: (in all, available)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    whole, free = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    return whole, free


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _room(name: str, folder: Path, limits: tuple[int, int], cure: str) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(name=name, state=WARNING, found=f"{folder}: {error.strerror}", cure=cure)
    return Check(name=name, state=_level(free, limits), found=f"{free / GIB:.1f} GiB free in {folder}", cure=cure)


def _level(value: float, limits: tuple[int, int]) -> str:
    return WRONG if value < limits[0] else WARNING if value < limits[1] else OK


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if one.exists())


def _writable(state: Path) -> Check:
    folder = _existing(state)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        cure = "choose another folder with --state, or change its owner"
        return Check(name="state folder", state=WRONG, found=f"{folder}: {error.strerror}", cure=cure)
    kind = "is there" if folder == state else "will be made"
    return Check(name="state folder", state=OK, found=f"{state} {kind}")


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft} files at a time"
    if soft >= FILES:
        return Check(name="open files", state=OK, found=found)
    return Check(name="open files", state=WARNING, found=found, cure=f"ulimit -n {min(hard, 65_536)}")


def _gpu() -> Check:
    from workers.measures.devices import gpus  # loads torch: 2 s of a processor

    if found := gpus():
        return Check(name="gpu", state=OK, found=", ".join(found))
    if shutil.which("nvidia-smi") is None:
        return Check(name="gpu", state=OK, found="none: trials run on processors")
    cure = "install a build of torch for CUDA, see the README; then jobs may ask for gpus"
    return Check(name="gpu", state=WARNING, found="there is one, but this build of torch cannot use it", cure=cure)


def _clock(state: Path) -> Check:
    """Whether the clock of the file system, which may be another machine's, goes with this one's."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(state)) as file:
            apart = abs(time.time() - os.fstat(file.fileno()).st_mtime)
    except OSError:
        return Check(name="clock", state=OK, found=now)
    if apart < CLOCK_S:
        return Check(name="clock", state=OK, found=now)
    cure = "set both clocks by NTP: leases of jobs are judged by time"
    return Check(name="clock", state=WARNING, found=f"{now}; that of the state folder is {apart:.0f} s off", cure=cure)


def _port(port: int) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            cure = "a service may run already (`archsmith jobs` asks it); else choose another port"
            return Check(name=f"port {port}", state=WARNING, found=str(error.strerror), cure=cure)
    return Check(name=f"port {port}", state=OK, found="free")


def main(arguments: Sequence[str] | None = None, *, write: Callable[[str], object] = sys.stdout.write) -> int:
    """The exit code is 1 where something is wrong, 0 else, warnings included."""
    parser = argparse.ArgumentParser(
        prog="archsmith doctor", description="Check whether this machine can run archsmith."
    )
    parser.add_argument("--state", type=Path, default=Path(os.environ.get("ARCHSMITH_STATE") or "archsmith-data"))
    parser.add_argument("--port", type=int, default=8080, help="port of the API")
    parser.add_argument("--mlflow-port", type=int, default=5000, help="port of MLflow")
    parser.add_argument("--json", action="store_true", help="a JSON object a check")
    given = parser.parse_args(arguments)
    worst = 0
    for check in checks(given.state.absolute(), (given.port, given.mlflow_port)):
        worst = max(worst, int(check.state == WRONG))
        if given.json:
            write(json.dumps(asdict(check)) + "\n")
            continue
        write(f"{check.state:8}{check.name}: {check.found}\n")
        if check.state != OK and check.cure:
            write(f"{'':8}-> {check.cure}\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())
