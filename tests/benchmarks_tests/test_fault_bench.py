"""An even part of the fault bench, carried out: five minutes on two cores."""

from __future__ import annotations

import pytest

from benchmarks.faults.cell import cells, num_within, subset
from benchmarks.faults.runner import make_rows
from benchmarks.faults.score import own_score, top_causes

MINUTES = 5
JOBS = 2


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_an_even_part_of_the_calibration_half_is_diagnosed_rightly(tmp_path):
    chosen = subset(list(cells("calibration")), num_within(60 * MINUTES * JOBS))

    rows = make_rows(chosen, tmp_path, jobs=JOBS)

    score = own_score(rows)
    told = "\n".join(
        f"{row.task}/{row.fault or 'healthy'}/{row.severity}/{row.seed}: {row.answers}"
        for row in rows
        if not (row.is_found if row.fault else not row.alarms)
    )
    assert score.severe.value >= 0.9, told
    assert score.mild.value >= 0.7, told
    assert score.precision.value >= 0.9, told
    assert score.alarms.hits <= 1, told
    assert top_causes(rows, 2).value >= 0.9, told
