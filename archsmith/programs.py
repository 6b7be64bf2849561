"""Programs of the service that the command runs in a process of their own: the client imports nothing of it."""

import subprocess
import sys
from collections.abc import Sequence

MODULES = {"predict": "workers.bundle.predict", "verify": "workers.bundle.verify", "doctor": "api.doctor"}


def run(name: str, arguments: Sequence[str], *, capture_output: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of MODULES and wait for it. Its output goes where this process's goes, unless captured."""
    # -P: the working directory stays off the import path, so that a `workers/` folder there does not shadow ours.
    command = [sys.executable, "-P", "-m", MODULES[name], *arguments]
    return subprocess.run(command, capture_output=capture_output, text=True, check=False)
