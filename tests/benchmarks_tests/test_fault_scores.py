"""The fault bench's arithmetic, on rows whose numbers can be counted by hand."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.calibration import Point, learn, scored, write
from benchmarks.faults.document import document, table
from benchmarks.faults.ledger import looks, note_look
from benchmarks.faults.pictures import confusion_svg, reliability_svg
from benchmarks.faults.rows import Row, Said, as_json, from_json
from benchmarks.faults.score import (
    NOTHING,
    Bin,
    Share,
    alarm_codes,
    calibration_error,
    confusion,
    false_alarms,
    fault_recall,
    own_score,
    precision,
    recall,
    reliability,
    tool_score,
    top_causes,
    wilson,
)
from benchmarks.faults.shortfalls import NOT_LOOKED_INTO, shortfalls


def row(fault="", codes=(), said=(), *, severity=None, also=(), causes=(), tools=None, **more):
    return Row(
        task="digits_mlp",
        fault=fault,
        severity=("severe" if fault else "") if severity is None else severity,
        seed=0,
        codes=frozenset(codes),
        also=frozenset(also),
        right_causes=frozenset(causes),
        is_info=more.pop("is_info", False),
        said=tuple(said),
        tools={name: [frozenset(each) for each in found] for name, found in (tools or {}).items()},
        **more,
    )


def warns(code, confidence=0.8, *causes):
    return Said(code, "warning", confidence, causes)


def notes(code):
    return Said(code, "info", 0.5)


SLOW = row("rate_too_low", ["lr_too_low"], [warns("lr_too_low", 0.9)], also=["still_improving"])
MISSED = row("rate_too_low", ["lr_too_low"], [warns("overfitting", 0.7)], severity="mild")
SILENT = row("rate_too_low", ["lr_too_low"], [notes("lr_too_low")])
TWIN = row(said=[notes("still_improving")])
ALARMED = row(said=[warns("overfitting", 0.6)])
FOLLOWS = row("f", ["lr_too_low"], [warns("still_improving")], also=["still_improving"])
ROWS = [SLOW, MISSED, SILENT, TWIN, ALARMED]


def test_wilson_agrees_with_the_published_example():
    # Newcombe (1998), table I: 81 of 263, method 3.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_wilson_at_the_ends():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0
    assert wilson(20, 20)[0] == pytest.approx(0.8389, abs=1e-4)


def test_wilson_refuses_more_hits_than_trials():
    with pytest.raises(ValueError, match="hits: 3"):
        wilson(3, 2)


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(hits, misses):
    low, high = wilson(hits, hits + misses)
    share = hits / (hits + misses) if hits + misses else 0.5
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_precision_counts_twins_and_what_follows_from_the_fault():
    assert precision(ROWS, "overfitting") == Share(0, 2)
    assert precision(ROWS, "lr_too_low") == Share(1, 1)
    assert precision([FOLLOWS], "still_improving") == Share(1, 1)


def test_what_follows_from_a_fault_does_not_answer_it():
    assert not FOLLOWS.is_found
    assert not FOLLOWS.names_cause(2)


def test_recall_is_by_severity_and_a_note_is_no_answer():
    assert recall(ROWS, "lr_too_low", "severe") == Share(1, 2)
    assert recall(ROWS, "lr_too_low", "mild") == Share(0, 1)
    assert fault_recall(ROWS, "rate_too_low", "severe") == Share(1, 2)


def test_a_note_answers_a_fault_that_says_so():
    assert row("f", ["a"], [notes("a")], is_info=True).is_found
    assert not row("f", ["a"], [notes("a")]).is_found


def test_false_alarms_count_warnings_on_twins_alone():
    assert false_alarms(ROWS) == Share(1, 2)
    assert alarm_codes(ROWS) == {"overfitting": 1}


def test_what_is_true_of_every_run_of_a_task_is_no_false_alarm():
    small = row(said=[warns("small_validation_set")], also=["small_validation_set"])
    assert false_alarms([small, ALARMED]) == Share(1, 2)
    assert alarm_codes([small]) == {}


def test_a_cause_of_the_leading_finding_is_a_hypothesis():
    second = row("f", ["a"], [warns("b", 0.8, "c", "right")], causes=["right"])
    assert not second.names_cause(1)
    assert second.names_cause(2)
    later = row("f", ["a"], [warns("b"), warns("a")])
    assert not later.names_cause(1)
    assert later.names_cause(2)
    assert top_causes([second, later, TWIN], 2) == Share(2, 2)


def test_confusion_has_a_place_for_silence():
    counts = confusion(ROWS)
    assert counts["rate_too_low", "lr_too_low"] == 1
    assert counts["rate_too_low", NOTHING] == 1
    assert counts["healthy", NOTHING] == 1
    assert sum(counts.values()) == len(ROWS)


def test_reliability_and_calibration_error_by_hand():
    rows = [
        *[row("f", ["a"], [warns("a", 0.75)]) for _ in range(3)],
        row("f", ["a"], [warns("b", 0.75)]),
        row("f", ["a"], [warns("b", 0.25)]),
    ]
    found = reliability(rows)
    assert found == [Bin(1, 0.25, 0.0), Bin(4, 0.75, 0.75)]
    assert calibration_error(found) == pytest.approx(0.25 / 5)
    assert math.isnan(calibration_error([]))


def test_bins_hold_about_as_many_each_and_equals_stay_together():
    assert reliability([row("f", ["a"], [warns("a", 1.0)])]) == [Bin(1, 1.0, 1.0)]
    rows = [row("f", ["a"], [warns("a", 0.1 * each)]) for each in (1, 2, 3, 4, 5, 5, 5, 6)]
    assert [each.n for each in reliability(rows, bins=4)] == [2, 2, 3, 1]


def answered(code, score, hits, n, task="digits_mlp"):
    """Rows of a task with findings of a score, so many of them right."""
    return [
        replace(row("f", [code if at < hits else "other"], [warns(code, score)]), task=task)
        for at in range(n)
    ]


def test_each_task_has_one_vote():
    rows = [*answered("a", 0.6, 16, 20), *answered("a", 0.6, 1, 1, "other_task")]
    findings = scored(rows)

    assert findings.codes == {"a": [Point(0.6, hits=17, n=21, votes=1.8, tasks=2)]}
    assert findings.share == pytest.approx((1.8 + 0.5) / (2 + 1))  # Jeffreys' prior
    assert scored(answered("a", 0.6, 900, 900)).share == pytest.approx(1.5 / 2)  # one task's word


def test_curves_rise_and_are_drawn_towards_the_share_of_all():
    tasks = [f"task_{at}" for at in range(8)]
    rows = [
        *answered("a", 0.6, 8, 10),
        *[each for task in tasks for each in answered("a", 0.9, 1, 1, task)],
        *answered("b", 0.7, 1, 2),
    ]
    findings = scored(rows)
    learned = learn(findings)

    share = (8 + 9 / 12 + 0.5) / 10
    assert findings.share == pytest.approx(share)
    assert learned["a"] == (
        (0.6, pytest.approx((0.8 + 5 * share) / 6, abs=1e-3)),
        (0.9, pytest.approx((8 + 5 * share) / 13, abs=1e-3)),
    )
    assert "b" not in learned  # two findings say nothing
    falls = learn(scored([*answered("a", 0.6, 10, 10), *answered("a", 0.9, 5, 10)]))["a"]
    assert falls[0][1] == falls[1][1]
    with pytest.raises(ValueError, match="no finding"):
        scored([TWIN])


def test_written_curves_are_read_back(tmp_path):
    file = tmp_path / "curves.py"
    findings = scored(answered("a", 0.6, 8, 10))
    write(findings, file)
    namespace = runpy.run_path(str(file))

    assert dict(namespace["CURVES"]) == learn(findings)
    assert "# 8 of 10" in file.read_text()


def test_a_tool_is_scored_by_any_of_its_words():
    rows = [
        row("f", ["a"], tools={"tool": [["a", "b"], ["z"]]}),
        row("f", ["a"], severity="mild", tools={"tool": []}),
        row(tools={"tool": [["z"]]}),
        row(tools={"tool": []}),
        row("f", ["a"]),  # could not be trained: the tool saw nothing
    ]
    assert tool_score(rows, "tool") == (Share(1, 1), Share(0, 1), Share(1, 3), Share(1, 2))


def test_own_score_is_made_like_a_tools():
    assert own_score(ROWS) == (Share(1, 2), Share(0, 1), Share(1, 3), Share(1, 2))


def test_rows_come_back_from_json():
    kept = row("f", ["a"], [warns("a", 0.9, "c")], tools={"tool": [["a"]]}, value=0.5)
    assert from_json(as_json(kept)) == kept
    assert math.isnan(from_json(as_json(SLOW)).value)


def test_page_says_that_it_is_a_part_and_shows_every_section():
    looks = [{"reason": "first", "cells": 3, "came_of_it": "a change"}]
    page = document(ROWS, "calibration", looks=looks, num_cells=99)
    assert "| 1 | 3 | first | a change |" in page
    assert "5 runs of 99, so this is a part" in page
    assert "| rate_too_low: " in page
    for heading in (
        "What falls short",
        "By code",
        "By fault",
        "Healthy twins",
        "Other tools",
        "Confidence",
    ):
        assert f"## {heading}" in page
    assert "SageMaker Debugger" in page


def test_what_falls_short_says_where():
    false = [replace(ALARMED, task=task) for task in ("one", "one", "other") for _ in range(4)]
    below = shortfalls([*ROWS, *false])

    assert [each.what for each in below] == [
        "`overfitting`",
        "rate_too_low, severe",
        "rate_too_low, mild",
        "healthy twins",
    ]
    assert (
        below[0].where == "digits_mlp: rate_too_low 1, healthy 1; one: healthy 8; other: healthy 4"
    )
    assert below[1].where == f"digits_mlp: {NOTHING} 1"
    assert below[1].why == NOT_LOOKED_INTO
    assert below[3].where.startswith("digits_mlp: overfitting 1; one: overfitting 8")
    assert shortfalls([SLOW, TWIN]) == []


def test_table_is_markdown():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_pictures_are_well_formed():
    from xml.etree import ElementTree

    counts = {("faulty <net>", "a & b"): 2, ("healthy", NOTHING): 1}
    root = ElementTree.fromstring(confusion_svg(counts, ["faulty <net>", "healthy"]))
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "faulty <net>: a & b in 2 of 2" in titles
    root = ElementTree.fromstring(reliability_svg([Bin(4, 0.75, 0.5)]))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 1


def test_ledger_counts_rules_looked_at_and_not_repetitions(tmp_path):
    file = tmp_path / "ledger.json"
    file.write_text('{"looks": []}')
    assert note_look(reason="first", rules="a", cells=3, file=file) == 1
    assert note_look(reason="again", rules="a", cells=3, file=file) == 1
    assert note_look(reason="changed", rules="b", cells=3, file=file) == 2
    assert [each["reason"] for each in looks(file)] == ["first", "changed"]
    with pytest.raises(ValueError, match="reason"):
        note_look(reason=" ", rules="c", cells=3, file=file)
