"""What earlier steps found, as later steps' rules ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.finding import Finding, Severity
from recipes.step import StepReport


def found_before(
    history: Sequence[StepReport],
) -> tuple[tuple[str, ...], Mapping[str, Finding]]:
    """Codes of all warnings and errors, in order, and by code the notes on other matters."""
    found = [finding for report in history for finding in report.findings]
    grave = tuple(each.code for each in found if each.severity is not Severity.INFO)
    notes = {each.code: each for each in found if each.code not in grave}
    return grave, notes
