"""Child processes: what they may see of our environment, that they die with us, how they are ended."""

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
    """Our environment, reduced to what a child needs. Keys of clouds and other tools stay out of reach of trials."""
    kept = {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
    # PYTHONSAFEPATH: a child's working folder is not on its import path, so no file of the user's shadows ours.
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", **(extra or {})}


def spawn(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, its output appended to `log`. It gets SIGTERM when this thread ends.

    Call it from a thread that lives as long as the process: the kernel watches the thread that forked.
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
    """Whether it has exited, without forgetting its group: the id stays ours until `reap`."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def reap(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process that has ended; whatever it left behind in its group is ended as well."""
    _signal_group(process, signal.SIGKILL)
    return process.wait()


def stop(processes: Sequence[subprocess.Popen[bytes]], *, grace_s: float) -> None:
    """SIGTERM to each, then SIGKILL to the groups of those that are still there after `grace_s` seconds in all."""
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
        return  # reaped before: the id may be somebody else's by now
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
