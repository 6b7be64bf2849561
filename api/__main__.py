"""`python -m api`: the HTTP service alone.

It listens on ARCHSMITH_BIND (default 127.0.0.1) and ARCHSMITH_PORT (8080). Only loopback addresses are allowed, except
in a container (ARCHSMITH_INSIDE_CONTAINER=1), whose network is its own and whose port is published on the host's
loopback address.
"""

import logging
import os
import sys
from types import FrameType

import uvicorn

from api.app import create_app
from api.context import Context
from api.options import is_loopback, whole_number
from archsmith.errors import ConfigurationError
from search.ledger import open_ledger
from workers.settings import Settings

GRACE_S = 5
"""Seconds for open requests after SIGTERM; without a limit, an open event stream would keep the process alive."""


class Server(uvicorn.Server):
    """Sets `Context.closing` on a signal, so that event streams close and `/readyz` answers 503 at once."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._context.closing.set()
        super().handle_exit(sig, frame)


def address() -> tuple[str, int]:
    """(address, port) from the environment. Raises ConfigurationError."""
    host = os.environ.get("ARCHSMITH_BIND") or "127.0.0.1"
    if not is_loopback(host) and os.environ.get("ARCHSMITH_INSIDE_CONTAINER") != "1":
        raise ConfigurationError(
            f"ARCHSMITH_BIND={host} is not a loopback address; there is no login, so use 127.0.0.1, ::1 or localhost"
        )
    return host, whole_number("ARCHSMITH_PORT", os.environ.get("ARCHSMITH_PORT") or "8080", 1, 65_535)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        host, port = address()
        settings = Settings.from_env()
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = open_ledger(settings.database_url)
        app = create_app(settings, ledger)
    except ConfigurationError as error:
        sys.stderr.write(f"archsmith: {error}\n")
        return 2
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=64 * 1024,
    )
    Server(config, app.state.context).run()
    ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
