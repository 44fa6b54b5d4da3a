"""Fifteen faults written by people who had not seen the rules, and their healthy twins.

The sets were looked at one after another, each once before anything was changed for it; what
the first look gave is recorded in ``docs/method.md``. Here stands what holds today.
"""

from typing import NamedTuple

import pytest

from recipes.step import StepReport
from tests.broken_tasks.blind import BLIND
from tests.broken_tasks.blind_second import BLIND_SECOND
from tests.broken_tasks.blind_third import BLIND_THIRD
from tests.in_process import run_study
from worker.describe.errors import TaskError

pytestmark = pytest.mark.slow

REFUSED = {"shapes_broadcast": "has shape (64, 1); a regression task needs (64,)"}
"""Faults that are refused, with the reason, before a study begins."""

OTHER_CAUSE = {"softmax_over_one_output": "ignores_input"}
"""Faults met in time, by a finding that names a consequence and not the cause: our limit."""


class Case(NamedTuple):
    broken: type
    healthy: type
    steps: tuple[int, ...]
    codes: tuple[str, ...]


CASES = {
    name: Case(*case)
    for table in (BLIND, BLIND_SECOND, BLIND_THIRD)
    for name, case in table.items()
}


def grave(report: StepReport) -> list[str]:
    return [finding.code for finding in report.findings if finding.severity != "info"]


@pytest.mark.parametrize("name", sorted(set(CASES) - set(REFUSED)))
def test_a_fault_is_met_with_its_cause(name):
    history = run_study(CASES[name].broken())
    met = next((report for report in history if report.verdict != "passed"), None)

    assert met is not None, [report.sentence for report in history]
    expected = (OTHER_CAUSE[name],) if name in OTHER_CAUSE else CASES[name].codes
    assert grave(met)[0] in expected, met.sentence
    assert met.number in (*CASES[name].steps, 2 if name in OTHER_CAUSE else 0)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_task_that_cannot_be_used_is_refused_with_the_reason(name):
    with pytest.raises(TaskError) as refused:
        run_study(CASES[name].broken())

    assert REFUSED[name] in refused.value.problem.message


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_healthy_twin_passes_without_a_warning(name):
    history = run_study(CASES[name].healthy())

    assert [(report.verdict, grave(report)) for report in history] == [("passed", [])] * 3
