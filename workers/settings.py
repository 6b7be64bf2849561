"""The service's configuration: read once from `ARCHSMITH_…` variables, passed on as a value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archsmith.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where the service's parts are, and its limits.

    state: folder of all state (absolute).
    database_url: SQLAlchemy URL; SQLite below the state folder unless set.
    mlflow_url: base URL of the MLflow server for clients on this machine, "" = no tracking.
    mlflow_public_url: the same as a person's browser reaches it, for links.
    ray_address: GCS address "host:port" of a running cluster, "" = a driver starts a local one of its own.
    data_roots: folders below which data sets may be registered by path.
    max_upload_bytes: limit of one upload.
    lease_s: a driver that did not renew its lease for so many seconds has lost its job.
    exports: whether bundles get their exported forms, which take a trial's processors some ten seconds a job.
    simple_models: whether simple models are trained for comparison, seconds before and after a search.
    """

    state: Path
    database_url: str
    mlflow_url: str = ""
    mlflow_public_url: str = ""
    ray_address: str = ""
    data_roots: tuple[Path, ...] = ()
    max_upload_bytes: int = 2 * 1024**3
    lease_s: float = 30.0
    exports: bool = True
    simple_models: bool = True

    @property
    def datasets(self) -> Path:
        return self.state / "datasets"

    @property
    def jobs(self) -> Path:
        return self.state / "jobs"

    def job_folder(self, job_id: str) -> Path:
        return self.jobs / job_id

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Raises ConfigurationError, which names the variable, for an invalid value."""
        env = os.environ if environ is None else environ
        state = Path(env.get("ARCHSMITH_STATE", "archsmith-data")).absolute()
        return cls(
            state=state,
            database_url=env.get("ARCHSMITH_DATABASE_URL") or f"sqlite:///{state / 'archsmith.db'}",
            mlflow_url=env.get("ARCHSMITH_MLFLOW_URL", ""),
            mlflow_public_url=env.get("ARCHSMITH_MLFLOW_PUBLIC_URL") or env.get("ARCHSMITH_MLFLOW_URL", ""),
            ray_address=env.get("ARCHSMITH_RAY_ADDRESS", ""),
            data_roots=tuple(Path(p).absolute() for p in env.get("ARCHSMITH_DATA_ROOTS", "").split(os.pathsep) if p),
            max_upload_bytes=int(_number(env, "ARCHSMITH_MAX_UPLOAD_BYTES", 2 * 1024**3)),
            lease_s=_number(env, "ARCHSMITH_LEASE_S", 30.0),
            exports=_flag(env, "ARCHSMITH_EXPORTS", True),
            simple_models=_flag(env, "ARCHSMITH_SIMPLE_MODELS", True),
        )


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name)
    if not text:
        return default
    if text not in ("0", "1"):
        raise ConfigurationError(f"{name} must be 0 or 1, got {text!r}")
    return text == "1"


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ConfigurationError(f"{name} must be a number, got {text!r}") from None
    if not 0 < value < 1e15:
        raise ConfigurationError(f"{name} must be positive, got {text!r}")
    return value
