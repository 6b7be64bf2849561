"""What can go wrong on the client's side of the wire. (The service's own errors are drawn in `archsmith/errors.py`.)

ClientError
├── Unreachable        nothing answers at the address
├── TimedOut           a wait ended before the job did
├── BrokenDownload     what arrived is not what the service sent
└── Refused            the service answered, and its answer is no
    ├── RefusedInput   what was sent breaks a rule (400, 413, 415, 422); `faults` says which
    ├── UnknownThing   there is no such job, trial or data set (404)
    └── RefusedState   the thing is in a state that forbids this (409), or its name is taken
"""

from collections.abc import Sequence
from typing import Any

import httpx

from archsmith.errors import Fault


class ClientError(Exception):
    """Root of what `archsmith.client` raises. The message is one line for a person."""


class Unreachable(ClientError):
    """Nothing answers at `url`."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no service answers at {url} ({reason}); start one with `archsmith serve`, or name it with --url"
        )
        self.url = url


class TimedOut(ClientError):
    """A wait ended before the job did; the job goes on."""


class BrokenDownload(ClientError):
    """A transfer ended with other bytes than the service announced."""


class Refused(ClientError):
    """The service says no. status: of HTTP; code: the machine name of the problem; document: the whole answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        faults: Sequence[Fault] = (),
        document: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.faults = tuple(faults)
        self.document = document or {}


class RefusedInput(Refused):
    """What was sent breaks one or more rules; nothing was stored."""


class NotFoundError(Refused):
    """There is no such job, trial or data set."""


class ConflictError(Refused):
    """The request does not fit the state of the thing."""


_KINDS: dict[int, type[Refused]] = {
    400: RefusedInput,
    404: NotFoundError,
    409: ConflictError,
    413: RefusedInput,
    415: RefusedInput,
    422: RefusedInput,
}


def refusal(response: httpx.Response) -> Refused:
    """An answer that is no success, as an error. Anything but a problem document is quoted by its status alone."""
    document = _document(response)
    status = response.status_code
    message = str(document.get("detail") or f"the service answered {status} {response.reason_phrase}".rstrip())
    return _KINDS.get(status, Refused)(
        " ".join(message.split()),
        status=status,
        code=str(document.get("code", "")),
        faults=[_fault(item) for item in document.get("errors") or () if isinstance(item, dict)],
        document=document,
    )


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _fault(item: dict[str, Any]) -> Fault:
    return Fault(
        pointer=str(item.get("pointer", "")),
        rule=str(item.get("rule", "")),
        detail=str(item.get("detail", "")),
        allowed=item.get("allowed"),
    )
