"""Child processes: their environment, their end together with the parent, and stopping them."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_NAMES = (
    *("PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy", "DO_NOT_TRACK", "ROCR_VISIBLE_DEVICES"),
)
_PREFIXES = (
    *("ARCHSMITH_", "RAY_", "MLFLOW_", "TUNE_", "LC_"),
    *("OMP_", "MKL_", "OPENBLAS_", "NVIDIA_", "CUDA_", "TORCH_", "PYTORCH_"),
)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of our environment that a child needs. Trials do not see credentials of clouds and other tools."""
    kept = {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
    # PYTHONSAFEPATH: the working folder is not on the child's import path, so no file there shadows ours.
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", **(extra or {})}


def spawn(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, with its output appended to `log`. It gets SIGTERM if this thread ends.

    Call it from a thread that lives as long as the process: the kernel ties the child to the thread that forked.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(arguments),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - one system call, no lock is taken
        )


def _die_with(parent: int) -> Callable[[], None]:
    def set_signal() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return set_signal


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has exited. It stays a zombie until `reap`, so its process group id is not reused."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def reap(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process that has ended. Kills what is left of its process group."""
    _signal_group(process, signal.SIGKILL)
    return process.wait()


def stop(processes: Sequence[subprocess.Popen[bytes]], *, grace_s: float) -> None:
    """SIGTERM to each process, then SIGKILL to all groups, at the latest after `grace_s` seconds."""
    for process in processes:
        if not ended(process):
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and not all(ended(process) for process in processes):
        time.sleep(0.05)
    for process in processes:
        reap(process)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if process.returncode is not None:
        return  # reaped before: the id may belong to another process now
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
