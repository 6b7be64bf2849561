"""The environment of a job: what must be equal for a replay to give the same numbers."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from archsmith import __version__
from search.spec import JobSpec

PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "ray", "optuna", "mlflow", "sqlalchemy")
CPUINFO = Path("/proc/cpuinfo")


def fingerprint(spec: JobSpec) -> dict[str, Any]:
    """Versions and hardware of the driver's machine, without its host name or user."""
    return {
        "archsmith": __version__,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "device": spec.trial.device,
        "threads": spec.trial.threads,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPUINFO.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
