"""Whether the service lives, and whether it can work."""

import http.client
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Response

from api.context import Context, ContextDep
from api.http.body import accepts
from archsmith.errors import Unavailable
from workers.settings import Settings

router = APIRouter(tags=["health"], dependencies=[accepts("application/json")])
_TIMEOUT_S = 1.0
NOT_CONFIGURED = "not configured"
RAY_ADDRESS = "ray-address"
"""File in the state folder that holds the address of the Ray that the supervisor runs."""
BEAT = "dispatcher.beat"
"""File in the state folder that the dispatcher touches in each round of its loop."""
CLUSTER_BEAT = "ray.beat"
"""File in the state folder that is touched whenever a task has come back from the cluster, every two seconds."""
BEAT_S = 30.0
"""Older beats are none."""


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Alive; nothing else is looked at."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Not ready"}})
def readyz(context: ContextDep, answer: Response) -> dict[str, Any]:
    """Ready when the ledger answers and the cluster runs tasks. A tracker that is away is told of, but stops no job."""
    found = details(context)
    works = found["ledger"] == "ok" and found["ray"] in ("ok", NOT_CONFIGURED)
    ready = works and not context.closing.is_set()
    answer.status_code = 200 if ready else 503
    return {"status": "ok" if ready else "closing" if context.closing.is_set() else "not ready", "details": found}


def details(context: Context) -> dict[str, str]:
    """How each part of the service is; "ok" where it works."""
    settings = context.settings
    return {
        "ledger": _ledger(context),
        "mlflow": _http(settings.mlflow_url),
        "ray": _ray(settings),
        "dispatcher": _beat(settings.state / BEAT),
    }


def _ledger(context: ContextDep) -> str:
    try:
        context.ledger.ping()
    except Unavailable:
        return "away"
    return "ok"


def _http(url: str) -> str:
    if not url:
        return NOT_CONFIGURED
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        return "ok" if connection.getresponse().status == 200 else "failing"
    except (OSError, http.client.HTTPException):
        return "away"
    finally:
        connection.close()


def _ray_address(settings: Settings) -> str:
    """A Ray that the supervisor started again has another address than the one this process was started with."""
    try:
        return (settings.state / RAY_ADDRESS).read_text().strip()
    except OSError:
        return settings.ray_address


def _ray(settings: Settings) -> str:
    host, _, port = _ray_address(settings).rpartition(":")
    if not host or not port.isdigit():
        return NOT_CONFIGURED
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
    except OSError:
        return "away"
    return _beat(settings.state / CLUSTER_BEAT)


def _beat(path: Path) -> str:
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError:
        return "not seen"
    return "ok" if age_s < BEAT_S else f"silent for {age_s:.0f} s"
