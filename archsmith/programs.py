"""Programs of the service's rooms that the command runs on this machine: as programs, never as an import."""

import subprocess
import sys
from collections.abc import Sequence

MODULES = {"predict": "workers.bundle.predict", "verify": "workers.bundle.verify"}


def run(name: str, arguments: Sequence[str], *, capture_output: bool = False) -> subprocess.CompletedProcess[str]:
    """One of MODULES, to its end. Its output is this process's own unless it is captured."""
    # -P: the working directory stays off the import path, so that a user's own `workers/` folder never shadows ours.
    command = [sys.executable, "-P", "-m", MODULES[name], *arguments]
    return subprocess.run(command, capture_output=capture_output, text=True, check=False)
