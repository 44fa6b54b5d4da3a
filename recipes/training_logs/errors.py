"""What a log can be refused for."""

from __future__ import annotations


class LogError(ValueError):
    """A log, or one run of it, cannot be read without guessing what nobody told.

    ``str(error)`` is one sentence for a person: what, where, and the cure.
    """
