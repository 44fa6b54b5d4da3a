"""Errors a caller of the service can meet. The class says which HTTP status.

ServiceError
├── NotFound                404  not_found
├── Conflict                409  conflict
│   ├── Fenced              409  fenced              the attempt belongs to someone else now
│   ├── InvalidState        409  invalid_state       not in this state
│   ├── ConflictingPoints   409  conflicting_points  another value for a stored curve point
│   └── KeyInUse            409  idempotency_key_in_use  the first request is under way
├── ChangedSince            412  changed_since       somebody changed the study since
├── UnsupportedMedia        415  unsupported_media_type  the body is not JSON, or encoded
├── KeyReused               422  idempotency_key_reused  another request came with this key
├── InvalidInput            422  invalid_input       names field, value and cure
├── TooLarge                413  too_large
├── NoRoom                  507  no_room             a quota, or the disk, is full
└── StartupError            503  the service cannot serve; the message names the cure
    ├── SchemaTooOld             the database needs an upgrade
    ├── SchemaTooNew             the database was written by a newer release
    ├── DatabaseInUse            another service has this SQLite file, or data directory
    └── DataDirError             the data directory cannot be used
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """The root: every error this package raises on purpose is one.

    ``str(error)`` is one sentence for a person. ``status``, ``code`` and ``title`` are the
    parts of an RFC 9457 problem document.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "service_error"
    title: ClassVar[str] = "The service could not do this"

    @property
    def detail(self) -> str:
        """The sentence for a person."""
        return str(self)


class NotFound(ServiceError):
    """There is no such thing."""

    status = 404
    code = "not_found"
    title = "Not found"

    def __init__(self, kind: str, identifier: object) -> None:
        super().__init__(f"there is no {kind} {identifier}")
        self.kind = kind
        self.identifier = identifier


class Conflict(ServiceError):
    """The request does not fit what is stored."""

    status = 409
    code = "conflict"
    title = "Conflict"


class Fenced(Conflict):
    """The attempt was given to someone else, or has ended: write nothing more."""

    code = "fenced"
    title = "The attempt is no longer yours"

    def __init__(self, attempt: str) -> None:
        super().__init__(f"attempt {attempt} is no longer yours; leave it")
        self.attempt = attempt


class InvalidState(Conflict):
    """The thing is not in a state that allows this."""

    code = "invalid_state"
    title = "Not in this state"


class ConflictingPoints(Conflict):
    """A curve point is stored with another value: two runs wrote as one attempt."""

    code = "conflicting_points"
    title = "Another value is stored for this curve point"


class KeyInUse(Conflict):
    """A request with this Idempotency-Key is being worked on."""

    code = "idempotency_key_in_use"
    title = "The first request is still under way"

    def __init__(self) -> None:
        super().__init__(
            "a request with this Idempotency-Key is still being worked on; send it again shortly"
        )


class ChangedSince(ServiceError):
    """The study is not at the version that the request asks for."""

    status = 412
    code = "changed_since"
    title = "Changed since you looked"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the study is at version {version} now; look at it again, then send If-Match:"
            f' "{version}" (the `version` of its answer, in quotes; a weak tag never fits)'
        )
        self.version = version


class UnsupportedMedia(ServiceError):
    """The body is of a kind that is not read."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class KeyReused(ServiceError):
    """Another request came with this Idempotency-Key."""

    status = 422
    code = "idempotency_key_reused"
    title = "The key was used for another request"

    def __init__(self) -> None:
        super().__init__(
            "another request came with this Idempotency-Key; make a new key for a new request"
        )


class InvalidInput(ServiceError):
    """A value in the request does not fit. Names field, value and cure."""

    status = 422
    code = "invalid_input"
    title = "A value does not fit"

    def __init__(self, field: str, value: object, cure: str) -> None:
        super().__init__(f"{field}: {value!r} does not fit; {cure}")
        self.field = field
        self.value = value
        self.cure = cure


class TooLarge(ServiceError):
    """The request is larger than the service takes."""

    status = 413
    code = "too_large"
    title = "Too large"

    def __init__(self, what: str, limit_bytes: int) -> None:
        super().__init__(f"{what} may hold at most {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class NoRoom(ServiceError):
    """What was sent cannot be kept: a quota, or the disk, is full. The message has the cure."""

    status = 507
    code = "no_room"
    title = "There is no room"


class StartupError(ServiceError):
    """The service cannot serve. The message names the cure."""

    status = 503
    code = "not_ready"
    title = "The service is not ready"


class SchemaTooOld(StartupError):
    """The database's tables are those of an older release."""

    code = "schema_too_old"

    def __init__(self, found: str | None, wanted: str) -> None:
        super().__init__(
            f"the database has schema {found or 'none'}, this release needs {wanted};"
            " run `sevenstep db upgrade`"
        )
        self.found = found
        self.wanted = wanted


class SchemaTooNew(StartupError):
    """The database's tables are those of a newer release. Nothing was changed."""

    code = "schema_too_new"

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(
            f"the database has schema {found}, which this release (schema {wanted}) does not"
            " know; it was written by a newer sevenstep: install that release, or use another"
            " database"
        )
        self.found = found
        self.wanted = wanted


class DatabaseInUse(StartupError):
    """Another service process has this SQLite file, or the data directory."""

    code = "database_in_use"


class DataDirError(StartupError):
    """The data directory cannot be used."""

    code = "data_dir"
