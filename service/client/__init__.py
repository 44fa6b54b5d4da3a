"""The client for scripts and notebooks: ``from service.client import Client``.

It needs neither half of an installation: no torch, no database, no web framework.
"""

from service.client.client import Client
from service.client.curves import Curve, Curves
from service.client.errors import (
    Changed,
    ClientError,
    Conflict,
    Faulty,
    FieldError,
    Forbidden,
    InvalidInput,
    NoService,
    NotFound,
    NotUnderstood,
    Refused,
    StillRunning,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from service.client.stream import Event

__all__ = [
    "Changed",
    "Client",
    "ClientError",
    "Conflict",
    "Curve",
    "Curves",
    "Event",
    "Faulty",
    "FieldError",
    "Forbidden",
    "InvalidInput",
    "NoService",
    "NotFound",
    "NotUnderstood",
    "Refused",
    "StillRunning",
    "TooManyRequests",
    "Unauthorized",
    "Unreachable",
]
