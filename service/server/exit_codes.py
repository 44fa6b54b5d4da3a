"""What a service's exit code says to the command that started it."""

EXIT_IN_USE = 75
"""Another service has the database: to be joined, or tried again. ``EX_TEMPFAIL`` of
``sysexits.h``, which no error of ours has."""
