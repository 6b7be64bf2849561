"""archsmith: search for neural architectures over HTTP, download the winner as a finished product."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy, so that a trial's process that needs only `archsmith.errors` does not load an HTTP client.
    if name == "Client":
        from archsmith.client import Client

        return Client
    raise AttributeError(f"module 'archsmith' has no attribute {name!r}")
