"""Being part of a Ray cluster: join it, start a private one, leave it, see that it is still there and what is free."""

import logging
import os
import socket
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from archsmith.errors import ClusterAway, ConfigurationError
from workers.cluster import node_folder
from workers.cluster import slots as fitting
from workers.cluster.node_folder import NodeFolder

log = logging.getLogger(__name__)

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # at Ray's default of 15 a trial starves beside other work: 1 epoch in 10 minutes
    "RAY_TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial reports a reason instead of a score
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a callback of ours says it in one line
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own state is never read back, so it need not be written
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning OpenMP threads on a busy machine: 120 img/s, passive 2,300
}
"""Set in every process that talks to Ray, before Ray reads them."""

PARTS = ("gcs_server", "raylet")
"""Processes of a node without which it is of no use."""

_own_folders: list[NodeFolder] = []
_doors: dict[str, tuple[str, int]] = {}


def connect(address: str, *, cpus: int | None = None, state: Path | None = None) -> None:
    """Join the cluster at `address` ("host:port"), or start a private one when it is empty.

    A process that has joined one already stays there. state: where the folder of a private one belongs.
    Raises ClusterAway, ConfigurationError.
    """
    if ray.is_initialized():
        return
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)  # it warns of result files that we tell it not to write
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
    try:
        if address:
            _doors["GCS"] = _door(address)
            check()  # Ray would try for more than two minutes
            ray.init(address=address, **options)
        else:
            folder = node_folder.take(state)
            _own_folders.append(folder)
            ray.init(num_cpus=cpus, include_dashboard=False, _temp_dir=str(folder.path), **options)
        _note_doors()
    except (ConnectionError, RayError) as error:
        _doors.clear()
        raise ClusterAway(f"cannot join the cluster {address}: {error}") from error


def _note_doors() -> None:
    own = ray.get_runtime_context().get_node_id()
    node = next(one for one in ray.nodes() if one["NodeID"] == own)  # type: ignore[no-untyped-call]
    _doors["GCS"] = _door(ray.get_runtime_context().gcs_address)
    _doors["raylet"] = node["NodeManagerAddress"], node["NodeManagerPort"]


def _door(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError(f"ARCHSMITH_RAY_ADDRESS must be host:port, got {address[:100]!r}")
    return host.strip("[]"), int(port)


def disconnect() -> None:
    """Leave the cluster; a private one ends, and its folder goes with it."""
    _doors.clear()
    ray.shutdown()
    while _own_folders:
        _own_folders.pop().remove()


def away() -> str | None:
    """Why the cluster that this process has joined is of no use any more: one sentence. None: its ports are open.

    Ray itself says so late, or not at all: 13 s after the death of a raylet, 60 s after that of the GCS.
    """
    for name, door in list(_doors.items()):
        try:
            socket.create_connection(door, timeout=2.0).close()
        except OSError as error:
            return f"the cluster's {name} does not answer: {error.strerror or error}"
    return None


def check() -> None:
    """Raises ClusterAway."""
    if why := away():
        raise ClusterAway(why)


def dead_part() -> str | None:
    """Which of the PARTS of the node that this process has started is gone, seen by its process."""
    node: Any = ray._private.worker._global_node
    return next((name for name, _ in node.dead_processes() if name in PARTS), None)


def slots(cpus: float, gpus: float) -> int:
    """How many trials of this size the whole cluster can hold at once, at least one."""
    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return fitting.slots(cpus=total.get("CPU", 0.0), gpus=total.get("GPU", 0.0), trial_cpus=cpus, trial_gpus=gpus)


def shortage(cpus: float, gpus: float) -> str | None:
    """What a trial of this size waits for now, in words, or None when it fits."""
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    for kind, wanted in (("cpu", cpus), ("gpu", gpus)):
        available = free.get(kind.upper(), 0.0)
        if wanted > available + 1e-6:
            return f"{wanted:g} {kind}, {available:g} free"
    return None
