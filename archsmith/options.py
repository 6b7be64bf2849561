"""What several commands share: the address of the service, the job's id, and the client for them."""

from typing import Annotated

import typer

from archsmith.client import DEFAULT_URL, Client

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help=f"Address of the service [default: ARCHSMITH_URL, or {DEFAULT_URL}]."),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as listed by `archsmith jobs`.")]


def client_of(context: typer.Context, url: str | None) -> Client:
    """For the address after the command's name, else the one before it, else the client's default."""
    return Client(url or context.obj)
