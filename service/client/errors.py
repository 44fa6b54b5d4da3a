"""What can go wrong between a program and the service. Every error is a ClientError.

ClientError
├── NoService        no service runs for this data directory
├── Unreachable      nobody answers at the address
├── StillRunning     the time given to ``wait`` is up; also a TimeoutError
├── NotUnderstood    the answer is not one of this release's
└── Refused          the service said no, in a problem document (RFC 9457)
    ├── Unauthorized     401  the token is missing, unknown, revoked or expired
    ├── Forbidden        403  the token's scope is not good for this
    ├── NotFound         404  no such study, step, trial
    ├── Conflict         409  not possible in the state the thing is in
    ├── Changed          412  someone else changed it since
    ├── InvalidInput     422  a value does not fit; also a ValueError
    ├── TooManyRequests  429  later
    └── Faulty           5xx  the service could not do it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx2
from pydantic import BaseModel, ValidationError

from service.web.wording import message_of


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that does not fit: its name as it was sent, what is wrong, what would fit."""

    field: str
    message: str
    cure: str | None = None


class ClientError(Exception):
    """The service refused or could not be reached; the message is one line for people."""


class NoService(ClientError):
    """No service runs for this data directory on this machine."""


class Unreachable(ClientError):
    """Nobody answers at the address."""


class StillRunning(ClientError, TimeoutError):
    """The study has not ended within the time given. It goes on."""


class NotUnderstood(ClientError):
    """The answer is not one of this release's: another release, or not Sevenstep at all."""


class Refused(ClientError):
    """The service said no.

    Attributes:
        status: The HTTP status.
        code: Stable, for programs: ``invalid_state``; empty when the answer is no problem
            document, such as a proxy's.
        errors: The fields that do not fit, where the service names them.
        retry_after_seconds: When to come back, where it says so.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        code: str = "",
        errors: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds

    @property
    def field(self) -> str | None:
        """The first field that does not fit."""
        return self.errors[0].field if self.errors else None

    @property
    def cure(self) -> str | None:
        """What would fit there."""
        return self.errors[0].cure if self.errors else None


class Unauthorized(Refused):
    """The token is missing, unknown, revoked or expired."""


class Forbidden(Refused):
    """The token's scope is not good for this, or the address is not one the service knows."""


class NotFound(Refused):
    """There is no such study, step or trial."""


class Conflict(Refused):
    """Not possible in the state the thing is in; the message says what would help."""


class Changed(Refused):
    """Someone else changed it since it was read."""


class InvalidInput(Refused, ValueError):
    """A value does not fit; ``field`` and ``cure`` name it."""


class TooManyRequests(Refused):
    """More requests than this token may make."""


class Faulty(Refused):
    """The service could not do it: a mistake of its own, or its database is away."""


BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Changed,
    422: InvalidInput,
    429: TooManyRequests,
}


class _Field(BaseModel):
    field: str
    message: str
    cure: str | None = None


class _Problem(BaseModel):
    """As much of a problem document as matters here; what else it holds is left."""

    detail: str
    code: str
    errors: tuple[_Field, ...] = ()


def refusal(answer: httpx2.Response) -> Refused:
    """What an unsuccessful answer says, or as much as can be said of one that is not ours."""
    status = answer.status_code
    kind = BY_STATUS.get(status, Faulty if status >= 500 else Refused)
    try:
        problem = _Problem.model_validate_json(answer.content)
    except ValidationError:
        said = f"the service answered {status} {answer.reason_phrase}".rstrip()
        return kind(said, status=status, retry_after_seconds=_retry_after_seconds(answer))
    return kind(
        problem.detail,
        status=status,
        code=problem.code,
        errors=[FieldError(each.field, each.message, each.cure) for each in problem.errors],
        retry_after_seconds=_retry_after_seconds(answer),
    )


def invalid_config(error: ValidationError) -> InvalidInput:
    """A study's config that does not fit, as the service would say it."""
    found = error.errors(include_url=False, include_input=False)
    errors = [
        FieldError(".".join(map(str, each["loc"])), message_of(dict(each))) for each in found
    ]
    said = f"{errors[0].field}: {errors[0].message}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidInput(said + more, status=422, code="invalid_request", errors=errors)


def _retry_after_seconds(answer: httpx2.Response) -> float | None:
    """The header's seconds; None when it is missing or a date."""
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
