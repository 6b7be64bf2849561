"""The one tree of errors. Every room may import this file; it imports nothing of ours.

ArchsmithError
├── InvalidInput            something a user sent breaks a rule; carries every fault with a JSON pointer
│   ├── MalformedInput      not even readable (not JSON, duplicate keys, wrong media type)
│   ├── InvalidSpace        a space document
│   ├── InvalidDataset      a data set's files
│   ├── InvalidBundle       a bundle that is not what it says it is, or an input that its model cannot take
│   └── InvalidExpression   a constraint expression
├── InvalidArchitecture     a graph whose shapes do not fit
│   └── ImpossibleShape     one stage or node asks for more pixels than are left
├── NotFound                no such job, trial, data set
├── Conflict                the thing is there, but in a state that forbids the request
│   └── AlreadyExists       a name, or an idempotency key with another body, is taken
├── PayloadTooLarge         more bytes than the limit
├── Unavailable             a service we need does not answer; try again later
│   └── ClusterAway         the Ray cluster
├── SpaceExhausted          a controller has no architecture left that was not tried
├── UnknownTrial            a controller was told of a trial that it did not ask, or twice
├── LeaseLost               another process owns the job now; stop writing
├── JobFailure              a job cannot go on: not one trial or finalist could be trained
├── TrialFailure            a trial ended by its own fault (diverged, out of memory, crashed)
└── ConfigurationError      the service cannot start as it was asked to
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One broken rule in a user's document.

    pointer: JSON pointer (RFC 6901) to the offending value, "" for the whole document.
    rule: short machine name of the rule, for example "unknown_field", "out_of_range", "choice_unknown".
    detail: one sentence that says the law and the value.
    allowed: what would have been accepted (a list of names, a range), or None.
    """

    pointer: str
    rule: str
    detail: str
    allowed: Any = None


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class ArchsmithError(Exception):
    """Root of all errors that archsmith raises on purpose."""

    code = "error"


class InvalidInput(ArchsmithError):
    """What a user sent breaks one or more rules; nothing was stored."""

    code = "invalid_input"

    def __init__(self, faults: Sequence[Fault] | Fault) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults))


class MalformedInput(InvalidInput):
    """The body cannot be read at all."""

    code = "malformed_input"


class InvalidSpace(InvalidInput):
    """A space document breaks a rule."""

    code = "invalid_space"


class InvalidDataset(InvalidInput):
    """A data set's files break a rule."""

    code = "invalid_dataset"


class InvalidBundle(InvalidInput):
    """A bundle is not what it says it is, or an input is not what its model takes."""

    code = "invalid_bundle"


class InvalidExpression(InvalidInput):
    """A constraint expression cannot be parsed."""

    code = "invalid_expression"


class InvalidArchitecture(ArchsmithError):
    """A graph that no tensor can flow through. Says the law and the value."""

    code = "invalid_architecture"


class ImpossibleShape(InvalidArchitecture):
    """A place in the graph asks for more than is left: `place` names it, `size` is the (H, W) left there."""

    code = "impossible_shape"

    def __init__(self, message: str, *, place: str, size: tuple[int, ...]) -> None:
        super().__init__(message)
        self.place = place
        self.size = size


class NotFound(ArchsmithError):
    """No such thing."""

    code = "not_found"

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {str(name)[:100]!r}")
        self.kind = kind


class Conflict(ArchsmithError):
    """The request does not fit the state of the thing. `state` is the present one, `allowed` where it would fit."""

    code = "state_conflict"

    def __init__(self, message: str, *, state: str | None = None, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.state = state
        self.allowed = tuple(allowed)


class AlreadyExists(Conflict):
    """The name or key is taken by something else."""

    code = "already_exists"


class PayloadTooLarge(ArchsmithError):
    """The body or upload has more bytes than the limit."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than the limit of {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class Unavailable(ArchsmithError):
    """A service that is needed does not answer now."""

    code = "unavailable"


class ClusterAway(Unavailable):
    """The Ray cluster does not answer; what ran on it is neither lost nor to blame."""


class SpaceExhausted(ArchsmithError):
    """Every feasible architecture of the space was tried."""

    code = "space_exhausted"


class UnknownTrial(ArchsmithError):
    """A controller was told of a trial that it never asked, or told twice."""

    code = "unknown_trial"


class LeaseLost(ArchsmithError):
    """The lease holds no more, so nothing more may be written.

    given_back: its owner itself ended the job or put it down; otherwise it ran out and another owner holds the job.
    """

    code = "lease_lost"

    def __init__(self, message: str, *, given_back: bool = False) -> None:
        super().__init__(message)
        self.given_back = given_back


class JobFailure(ArchsmithError):
    """A job cannot go on: not one trial, or not one finalist, could be trained. The message is the job's reason."""

    code = "job_failure"


class TrialFailure(ArchsmithError):
    """A trial ended by its own fault. The message is the one-line reason, `cause` a word for counting."""

    code = "trial_failure"

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class ConfigurationError(ArchsmithError):
    """The service refuses to start; one sentence says what to change."""

    code = "configuration"
