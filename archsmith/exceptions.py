"""The errors of the client. (Those of the service are in `archsmith/errors.py`.)

ClientError
├── ConnectError            the service does not answer
├── WaitTimeoutError        the job did not end within the time given to `Client.wait`
├── DownloadError           the file that arrived is not the file that was sent
└── ApiError                the service answered with an error status
    ├── InvalidInputError   the request breaks a rule (400, 413, 415, 422); `faults` lists each
    ├── NotFoundError       there is no such job, trial or data set (404)
    └── ConflictError       the state of the job forbids the request, or the name is taken (409)
"""

from collections.abc import Sequence
from typing import Any

import httpx

from archsmith.errors import Fault


class ClientError(Exception):
    """Base class of all errors of the client. The message is one line."""


class ConnectError(ClientError):
    """The service at `url` does not answer."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no service answers at {url} ({reason}); start one with `archsmith serve`, or give its address with --url"
        )
        self.url = url


class WaitTimeoutError(ClientError):
    """The job did not end in time. It keeps running."""


class DownloadError(ClientError):
    """The SHA-256 of the downloaded file differs from the one that the service announced."""


class ApiError(ClientError):
    """The service answered with an error status.

    status: the HTTP status; code: the problem's machine name; faults: every broken rule, each with a JSON pointer;
    document: the whole problem document (RFC 9457).
    """

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

    @property
    def words(self) -> str:
        """The message without JSON pointers, as the command prints it."""
        return "; ".join(fault.words for fault in self.faults) or str(self)


class InvalidInputError(ApiError):
    """The request breaks one or more rules; nothing was stored."""


class NotFoundError(ApiError):
    """There is no such job, trial or data set."""


class ConflictError(ApiError):
    """The state of the job forbids the request, or the name is taken."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidInputError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidInputError,
    415: InvalidInputError,
    422: InvalidInputError,
}


def api_error(response: httpx.Response) -> ApiError:
    """The error for a response without success. If its body is no problem document, the message gives the status."""
    document = _document(response)
    status = response.status_code
    message = str(document.get("detail") or f"the service answered {status} {response.reason_phrase}".rstrip())
    return _BY_STATUS.get(status, ApiError)(
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
