"""What several commands share: the address of the service, the job's id, and the client for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from archsmith.client import DEFAULT_URL, Client

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help=f"Address of the service [default: ARCHSMITH_URL, or {DEFAULT_URL}]."),
]
JobId = Annotated[
    str, typer.Argument(metavar="ID", help="The job's id or its beginning, as listed by `archsmith jobs`.")
]


def client_of(context: typer.Context, url: str | None) -> Client:
    """For the address after the command's name, else the one before it, else the client's default."""
    return Client(url or context.obj)


@contextmanager
def job_of(context: typer.Context, url: str | None, job_id: str) -> Iterator[tuple[Client, str]]:
    """A client, and the whole id of the job whose id begins so. Raises NotFoundError, InvalidInputError as
    `Client.find_job`."""
    with client_of(context, url) as client:
        yield client, client.find_job(job_id)
