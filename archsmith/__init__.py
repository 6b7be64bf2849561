"""Neural architecture search over HTTP: post a job, watch it, download the finished model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsmith.bundles import Provisional, provisional
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
    "Provisional",
    "WaitTimeoutError",
    "__version__",
    "provisional",
]


_MODULES = {"Client": "client", "Provisional": "bundles", "provisional": "bundles"}


def __getattr__(name: str) -> Any:
    # Lazy: the process of a trial imports `archsmith.errors` only, and must not load an HTTP client.
    if name not in __all__:
        raise AttributeError(f"module 'archsmith' has no attribute {name!r}")
    return getattr(import_module(f"archsmith.{_MODULES.get(name, 'exceptions')}"), name)
