"""What is timed is what step 6 does: a study is read whole, and the same at every call."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.rule_speed import SIZES, all_findings, made_up_study, measured

SMALL = replace(SIZES[1], num_trials=12)


def test_a_made_up_study_is_read_whole():
    found = all_findings(made_up_study(SMALL))

    assert len({each.trial for each in found}) > 2
    assert found == all_findings(made_up_study(SMALL))


def test_a_measurement_says_what_it_read():
    found = measured(SMALL, 3)

    assert (found["trials"], found["epochs"], found["repeats"]) == (12, 20, 3)
    low, high = found["cpu_seconds_range"]
    assert 0 < low <= found["cpu_seconds"] <= high
    assert found["met"] == (found["cpu_seconds"] <= SMALL.target_seconds)
