"""The errors of the service. Every package may import this file; it imports none of them.

ArchsmithError
├── InvalidInput            what a user sent breaks a rule; has every fault, each with a JSON pointer
│   ├── MalformedInput      it cannot be read (no JSON, duplicate keys)
│   ├── InvalidSpace        a space document
│   ├── InvalidDataset      the files of a data set
│   ├── InvalidBundle       a bundle that fails its checks, or an input that its model cannot take
│   └── InvalidExpression   a constraint expression
├── InvalidArchitecture     a graph whose shapes do not fit
│   └── ImpossibleShape     a stage or node needs a larger input than there is
├── NotFound                no such job, trial or data set
├── Conflict                the state of the job forbids the request
│   └── AlreadyExists       the name is taken, or the idempotency key came with another body
├── PayloadTooLarge         more bytes than the limit
├── Unavailable             another service does not answer; try again later
│   └── ClusterAway         the Ray cluster
├── SpaceExhausted          every architecture of the space was tried
├── UnknownTrial            a controller got the outcome of a trial that it did not propose, or got it twice
├── LeaseLost               another process owns the job now; stop writing
├── JobFailure              a job cannot go on: not one trial or finalist could be trained
├── TrialFailure            a trial failed (diverged, out of memory, crashed)
└── ConfigurationError      the service cannot start with these settings
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A broken rule in what a user sent.

    pointer: JSON pointer (RFC 6901) to the value, "" for the whole document.
    rule: short machine name of the rule, for example "unknown_field", "out_of_range", "choice_unknown".
    detail: one sentence with the rule and the value.
    allowed: what would be accepted (a list of names, a range), or None.
    """

    pointer: str
    rule: str
    detail: str
    allowed: Any = None

    @property
    def words(self) -> str:
        """The fault as one reads it: the file or field in words, where the sentence does not name it."""
        first, *rest = [part.replace("~1", "/").replace("~0", "~") for part in self.pointer.split("/")[1:]] or [""]
        name = "/".join(rest) if first == "files" else first if "." in first and not rest else ""
        if not first or first == "file" or (name and name in self.detail):
            return self.detail
        if name:
            return f"file {name}: {self.detail}"
        field = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in (first, *rest)).lstrip(".")
        return f"{field}: {self.detail}"


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class ArchsmithError(Exception):
    """Base class of all errors that archsmith raises on purpose."""

    code = "error"


class InvalidInput(ArchsmithError):
    """What a user sent breaks one or more rules; nothing was stored."""

    code = "invalid_input"

    def __init__(self, faults: Sequence[Fault] | Fault) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults))

    @property
    def words(self) -> str:
        """All faults as one reads them, without pointers."""
        return "; ".join(fault.words for fault in self.faults)


class MalformedInput(InvalidInput):
    """What a user sent cannot be read."""

    code = "malformed_input"


class InvalidSpace(InvalidInput):
    """A space document breaks a rule."""

    code = "invalid_space"


class InvalidDataset(InvalidInput):
    """The files of a data set break a rule."""

    code = "invalid_dataset"


class InvalidBundle(InvalidInput):
    """A bundle fails its checks, or its model cannot take an input."""

    code = "invalid_bundle"


class InvalidExpression(InvalidInput):
    """A constraint expression cannot be parsed."""

    code = "invalid_expression"


class InvalidArchitecture(ArchsmithError):
    """The shapes of a graph do not fit. The message has the rule and the value."""

    code = "invalid_architecture"


class ImpossibleShape(InvalidArchitecture):
    """A stage or node, named by `place`, needs a larger input than the `size` that it gets: (H, W) or (D, H, W)."""

    code = "impossible_shape"

    def __init__(self, message: str, *, place: str, size: tuple[int, ...]) -> None:
        super().__init__(message)
        self.place = place
        self.size = size


class NotFound(ArchsmithError):
    """There is no such job, trial or data set."""

    code = "not_found"

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {str(name)[:100]!r}")
        self.kind = kind


class Conflict(ArchsmithError):
    """The state of the job forbids the request. state: its present state; allowed: the states that would do."""

    code = "state_conflict"

    def __init__(self, message: str, *, state: str | None = None, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.state = state
        self.allowed = tuple(allowed)


class AlreadyExists(Conflict):
    """The name is taken, or the idempotency key came with another body."""

    code = "already_exists"


class PayloadTooLarge(ArchsmithError):
    """The body or the upload has more bytes than the limit."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than the limit of {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class Unavailable(ArchsmithError):
    """Another service does not answer now."""

    code = "unavailable"


class ClusterAway(Unavailable):
    """The Ray cluster does not answer; what ran on it is neither lost nor to blame."""


class SpaceExhausted(ArchsmithError):
    """Every feasible architecture of the space was tried."""

    code = "space_exhausted"


class UnknownTrial(ArchsmithError):
    """A controller got the outcome of a trial that it did not propose, or got it twice."""

    code = "unknown_trial"


class LeaseLost(ArchsmithError):
    """The lease is no longer valid, so nothing more may be written.

    given_back: whether its owner ended or suspended the job itself; if not, it ran out and another owner has the job.
    """

    code = "lease_lost"

    def __init__(self, message: str, *, given_back: bool = False) -> None:
        super().__init__(message)
        self.given_back = given_back


class JobFailure(ArchsmithError):
    """A job cannot go on: not one trial, or not one finalist, could be trained. The message is the job's `reason`."""

    code = "job_failure"


class TrialFailure(ArchsmithError):
    """A trial failed. The message is the reason in one line, `cause` one word, by which failures are counted."""

    code = "trial_failure"

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class ConfigurationError(ArchsmithError):
    """The service cannot start. The message says what to change."""

    code = "configuration"
