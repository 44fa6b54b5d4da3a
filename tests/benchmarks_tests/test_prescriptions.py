"""The prescriptions' bench: the studies are whole, and one is carried out from end to end."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.faults.halves import task_classes
from benchmarks.faults.tasks.report import TASKS as REPORT_TASKS
from benchmarks.prescriptions.__main__ import main
from benchmarks.prescriptions.document import document
from benchmarks.prescriptions.ledger import Look, looks, note_look
from benchmarks.prescriptions.patient import Outcome, treat
from benchmarks.prescriptions.studies import CALIBRATION, FOLLOW_UP, REPORT

RATE_TOO_LOW = next(each for each in CALIBRATION if each.name == "rate_too_low")


def test_twelve_are_reported_and_six_others_were_worked_on():
    assert (len(REPORT), len(CALIBRATION)) == (12, 6)
    assert len({each.name for each in REPORT}) == 12
    reported = {(each.name, type(each.task())) for each in REPORT}
    assert not reported & {(each.name, type(each.task())) for each in (*CALIBRATION, *FOLLOW_UP)}


def test_looks_are_counted_once_for_the_same_rules(tmp_path):
    file = tmp_path / "ledger.json"
    file.write_text('{"looks": []}')
    first, again = Look("the first", "a", 8), Look("made again", "a", 8)

    note_look(first, file)
    note_look(again, file)
    assert note_look(Look("after a change", "b", 9), file) == looks(file)
    assert [each.reason for each in looks(file)] == ["the first", "after a change"]
    with pytest.raises(ValueError, match="reason"):
        note_look(Look(" ", "c", 9), file)


@pytest.mark.parametrize(
    "arguments", [["report", "--only", "rate"], ["calibration", "--write"]], ids=" ".join
)
def test_the_twelve_are_looked_at_as_a_whole(arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


@pytest.mark.parametrize(
    "studies", [REPORT, CALIBRATION, FOLLOW_UP], ids=["report", "calibration", "follow-up"]
)
def test_studies_name_every_hyperparameter_of_their_tasks(studies):
    for study in studies:
        task = study.task()

        assert task.space.keys() <= study.setting.keys(), study.name
        assert type(task) not in (*REPORT_TASKS, *task_classes().values())
        inputs, targets = task.data("train")
        assert task.model(study.setting)(inputs[:4]).shape[0] == len(targets[:4])


def test_means_closer_than_two_errors_are_no_improvement():
    given = {
        "study": RATE_TOO_LOW,
        "metric": "r2",
        "higher_is_better": True,
        "findings": (),
        "prescription": None,
        "before": (0.5, 0.6, 0.4, 0.5, 0.5),
    }
    near = Outcome(**given, after=(0.55, 0.65, 0.45, 0.55, 0.55))
    far = Outcome(**given, after=(0.65, 0.75, 0.55, 0.65, 0.65))

    assert near.gain == pytest.approx(0.05)
    assert near.error == pytest.approx(0.0447, abs=1e-4)  # sd 0.0707, root of 2 / 5
    assert (near.is_better, far.is_better) == (False, True)
    assert not dataclasses.replace(far, higher_is_better=False).is_better
    assert not Outcome(**given, after=()).is_better


@pytest.mark.slow
def test_a_rate_that_is_too_low_is_found_and_raised():
    outcome = treat(RATE_TOO_LOW)

    assert outcome.prescription is not None
    assert outcome.prescription.setting.params["lr"] == pytest.approx(1e-4)
    assert outcome.is_better, (outcome.before, outcome.after)
    page = document([outcome], looks=[Look("the first", "", 1)], seed=0)
    assert "**1 of 1 became better by more than noise.**" in page
    assert "lr × 10" in page
    assert "1. the first: 1 better." in page
