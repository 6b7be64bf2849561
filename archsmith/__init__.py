"""Neural architecture search over HTTP: post a job, watch it, download the finished model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsmith.client import Client
    from archsmith.exceptions import (
        ApiError,
        ClientError,
        ConflictError,
        ConnectError,
        DownloadError,
        InvalidInputError,
        NotFoundError,
        WaitTimeoutError,
    )

__version__ = "0.1.0"
__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "ConflictError",
    "ConnectError",
    "DownloadError",
    "InvalidInputError",
    "NotFoundError",
    "WaitTimeoutError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # Lazy: the process of a trial imports `archsmith.errors` only, and must not load an HTTP client.
    if name not in __all__:
        raise AttributeError(f"module 'archsmith' has no attribute {name!r}")
    return getattr(import_module("archsmith.client" if name == "Client" else "archsmith.exceptions"), name)
