"""Reading a new data set in a child process, so that uploaded files are never parsed in the API's own process."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from api import process
from api.http.errors import ProblemError
from archsmith.errors import AlreadyExists, Fault, InvalidDataset
from workers.settings import Settings

TIMEOUT_S = 600.0
CRASHES = tuple(-number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL))
"""Exit codes of a process whose libraries fell over what they read; SIGKILL is most likely the kernel's, for memory."""


def run(
    *, name: str, kind: str, sources: Sequence[Path], settings: Settings, options: Mapping[str, object] | None = None
) -> None:
    """Read files (or a folder) into the store. options: of the format, by name; None and False were not given.

    Raises InvalidDataset with the reader's faults, AlreadyExists if another upload took the name in the meantime.
    """
    arguments = ["-m", "workers.datasets.ingest", f"--format={kind}", f"--name={name}"]
    arguments += [f"--store={settings.datasets}"]
    for option, value in (options or {}).items():
        if value is not None and value is not False:
            flag = f"--{option.replace('_', '-')}"
            arguments.append(flag if value is True else f"{flag}={value}")
    arguments += ["--source", *(str(source) for source in sources)]
    try:
        child = _child(arguments, settings)
    except subprocess.TimeoutExpired:
        detail = f"reading the files took longer than {TIMEOUT_S:.0f} s; send fewer or smaller samples"
        raise InvalidDataset(Fault(pointer="", rule="check_timeout", detail=detail)) from None
    _check(child, name)


def _child(arguments: Sequence[str], settings: Settings) -> subprocess.CompletedProcess[bytes]:
    settings.datasets.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.state,
        env=process.environment({"ARCHSMITH_STATE": str(settings.state)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _check(child: subprocess.CompletedProcess[bytes], name: str) -> None:
    """Raise the faults in the reader's answer, which is its last line: {"ok": …, "faults": […]}."""
    lines = child.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        # The same files would fail again.
        if child.returncode in CRASHES:
            detail = "the library that reads this format crashed on these files; most likely they are damaged: save or "
            detail += "download them again"
        else:
            detail = (
                "the reader was killed while it read the files; they may need more memory than there is: send fewer"
            )
        raise InvalidDataset(Fault(pointer="", rule="reader_ended", detail=detail))
    faults = [Fault(**fault) for fault in answer.get("faults", [])]
    if any(fault.rule == AlreadyExists.code for fault in faults):
        raise AlreadyExists(f"there is a data set {name!r} already; choose another name")
    if any(fault.rule == "storage_full" for fault in faults):
        raise ProblemError(507, "storage_full", faults[0].detail)
    if faults:
        raise InvalidDataset(faults)
