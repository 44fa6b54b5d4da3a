"""Studies as lines: those of a list, and those that an earlier command left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from recipes.study import StudyState
from service.commands.carry_out import Place
from service.commands.left_over import left_over_line
from service.commands.listing import study_line
from service.server.server_file import ServerFile
from service.settings import Settings
from service.views.models import CurrentStep, StudySummary

UID = "phgieean6sgtnj0a"
SENTENCE = "The best setting has accuracy 0.9712 on 360 samples, and is not told apart from 12."


def summary(**fields: Any) -> StudySummary:
    given = {
        "id": UID,
        "name": "mine",
        "state": StudyState.RUNNING,
        "task": "digits",
        "current": None,
        "sentence": SENTENCE,
    }
    return StudySummary.model_construct(**{**given, **fields})


@pytest.mark.parametrize("name", ["mine", "a name of a hundred characters" * 3, "学習" * 30])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_line_fits_and_its_id_is_whole(name: str, width: int) -> None:
    line = study_line(summary(name=name), width)
    assert cell_len(line) <= width
    assert line.startswith(f"{UID}  ")
    assert line.endswith("…")
    assert name[:5] in line


def test_a_long_name_leaves_room_for_the_sentence() -> None:
    line = study_line(summary(name="long " * 20), 120)
    assert "long long" in line
    assert "…: The best" in line


def test_what_fits_is_not_cut_and_a_pipe_gets_all() -> None:
    assert study_line(summary(sentence="Short."), 80).endswith("  mine: Short.")
    assert study_line(summary(name="n" * 100), None).endswith(f"  {'n' * 100}: {SENTENCE}")
    assert study_line(summary(), 10).startswith(UID)


def at_step(number: int) -> CurrentStep:
    given: dict[str, Any] = {"step": number}
    return CurrentStep.model_construct(**given)


@pytest.fixture
def own(tmp_path: Path) -> Place:
    file = ServerFile(address="http://127.0.0.1:8080", token="t", pid=1, version="0")
    return Place(file, True, Settings(data_dir=tmp_path))


def test_an_interrupted_study_is_told_when_its_task_is_run_again(
    own: Place, tmp_path: Path
) -> None:
    studies = [summary(task="other"), summary(current=at_step(4))]
    line = left_over_line(studies, "digits", own)
    assert line == (
        f"Study {UID} of this task was interrupted at step 4 and goes on now, beside the new one;"
        f" `sevenstep study pause {UID} --data-dir {tmp_path}` holds it,"
        f" `sevenstep study cancel {UID} --data-dir {tmp_path}` ends it."
    )
    more = left_over_line([*studies, summary(), summary()], "digits", own)
    assert more == f"{line} So it is with 2 older studies too."


def test_a_paused_one_is_told_with_the_command_that_goes_on(own: Place, tmp_path: Path) -> None:
    line = left_over_line([summary(state=StudyState.PAUSED)], "digits", own)
    assert line == (
        f"Study {UID} of this task is paused before its first step;"
        f" `sevenstep study resume {UID} --data-dir {tmp_path}` goes on with it."
    )


def test_what_has_ended_or_runs_in_anothers_service_is_not_left_over(own: Place) -> None:
    elsewhere = Place(own.file, False, own.settings)
    assert left_over_line([summary()], "digits", elsewhere) is None
    assert left_over_line([summary(task="tabular")], "digits", own) is None
    for state in (StudyState.COMPLETED, StudyState.CANCELLED, StudyState.FAILED):
        assert left_over_line([summary(state=state)], "digits", own) is None
