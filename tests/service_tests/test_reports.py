"""Reports: as a document, as text, as a table; and trials in other orders."""

from __future__ import annotations

import csv
import io

import pytest

from recipes.space import Float
from recipes.study import StudyConfig
from recipes.trial import TrialState
from service.errors import InvalidInput
from service.use_cases import studies, trials
from service.views import trials_csv
from service.views.models import StudyReport
from service.views.repeat import command
from service.views.report_markdown import markdown, plain
from tests.recipes_tests.builders import description
from tests.service_tests.rungs import TwoRungs, so_far
from tests.service_tests.support import Bench, block, recipe
from tests.service_tests.test_rungs import conduct


@pytest.fixture
def study(bench: Bench) -> str:
    """A search that has come to its end."""
    made = bench.create(name="*bold* | <b>", steps=(4,), budget={"trials": 8}, seed=7)
    conduct(bench, made, recipe(TwoRungs()))
    return made


def report(bench: Bench, study: str) -> StudyReport:
    with bench.database.read() as session:
        return studies.report(session, study)


def test_a_report_says_what_was_found(bench: Bench, study: str) -> None:
    found = report(bench, study)
    assert found.best is not None
    assert (found.best.trial, found.best.num_candidates) == (3, 4)
    assert found.not_tried == ("weight decay above 0.1",)
    assert [(each.round, each.hypothesis) for each in found.rounds] == [(1, None)]
    assert found.rounds[0].best == found.best
    assert found.budget.used.trials == 4
    assert found.repeat.versions["workers"] == "0"
    assert found.repeat.config.seed == 7
    with bench.database.read() as session:
        view = studies.get(session, study)
        (line,) = studies.list_studies(session).items
    assert view.best == found.best == line.best
    assert view.result is not None
    assert view.result.best == found.best


def test_a_report_reads_well(bench: Bench, study: str) -> None:
    text = markdown(report(bench, study))
    assert text.startswith("# \\*bold\\* \\| \\<b\\>\n")
    assert "Accuracy 0.400 ± 0.020: on 300 validation samples, best of 4 settings" in text
    assert "| lr | 4e-1 |" in text
    assert text.index("| 3 | 4 | 1 | 0.400 ± 0.028 |") < text.index(
        "| 0 | 4 | 1 | 0.050 ± 0.013 |"
    )
    assert "### 4. Coarse search (round 1, pass 1): passed" in text
    assert "4 trials: 2 early discard, 2 finished." in text
    assert "- weight decay above 0.1" in text
    assert "sevenstep run digits --seed 7 --budget 8trials --steps 4" in text
    assert "| trials of steps 4 to 7 | 4 | 8 |" in text


def test_a_report_of_a_fresh_study_reads_well_too(bench: Bench) -> None:
    text = markdown(report(bench, bench.create()))
    assert "there is no best setting" in text
    assert "None yet." in text


def test_markdown_is_taken_as_text() -> None:
    assert plain("a\n# b [x](y) `c`") == "a \\# b \\[x\\](y) \\`c\\`"


def test_trials_come_in_other_orders(bench: Bench, study: str) -> None:
    def numbers(sort: str, **fields: object) -> list[int]:
        found: list[int] = []
        cursor = None
        with bench.database.read() as session:
            while True:
                page = trials.list_trials(
                    session, study, sort=sort, limit=3, cursor=cursor, **fields
                )
                found += [each.number for each in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    return found

    assert numbers("number") == [0, 1, 2, 3]
    assert numbers("-number") == [3, 2, 1, 0]
    assert numbers("-value") == [3, 2, 1, 0]
    assert numbers("value") == [0, 1, 2, 3]
    assert numbers("-lr") == [3, 2, 1, 0]
    assert numbers("hidden") == [0, 1, 2, 3]
    assert numbers("-value", state=TrialState.PRUNED) == [1, 0]
    assert numbers("-value", step=5) == []
    with pytest.raises(InvalidInput, match="sort by number, value or one of hidden, lr"):
        numbers("speed")
    with bench.database.read() as session:
        page = trials.list_trials(session, study, sort="-value", limit=1)
        with pytest.raises(InvalidInput, match="cursor"):
            trials.list_trials(session, study, sort="value", cursor=page.next_cursor)


def test_a_trial_says_where_its_best_epoch_was(bench: Bench, study: str) -> None:
    with bench.database.read() as session:
        (listed,) = trials.list_trials(session, study, sort="-value", limit=1).items
        view = trials.get_trial(session, study, 3)
    assert (view.value, view.best_epoch, view.num_epochs) == (pytest.approx(0.4), 4, 4)
    assert view.standard_error == pytest.approx(0.028, abs=1e-3)
    assert len(view.evaluations) == 5
    assert len(listed.evaluations) == 1
    assert view.snapshot_epoch == 4


def test_those_without_a_value_come_last(bench: Bench) -> None:
    worker = bench.worker()
    study = bench.create(steps=(4,))
    bench.describe(worker)
    bench.advance(study, recipe(TwoRungs()))
    claim = bench.must_claim(worker)
    bench.points(claim, block(0, 1.0), outcomes=[so_far(0, 0.5, 2, ends=False)])
    for sort in ("value", "-value"):
        with bench.database.read() as session:
            page = trials.list_trials(session, study, sort=sort)
        assert [each.number for each in page.items] == [0, 1, 2, 3]


def table(bench: Bench, study: str) -> list[dict[str, str]]:
    text = "".join(trials_csv.lines(bench.database.read, study))
    return list(csv.DictReader(io.StringIO(text)))


def test_trials_as_a_table(bench: Bench, study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(bench, study)
    assert [row["number"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["param.lr"] for row in rows] == ["0.1", "0.2", "0.30000000000000004", "0.4"]
    assert rows[0]["cause"] == "early_discard"
    assert float(rows[3]["value"]) == pytest.approx(0.4)
    monkeypatch.setattr(trials_csv, "BATCH", 3)
    assert table(bench, study) == rows


def test_no_cell_of_the_table_is_a_formula(bench: Bench) -> None:
    from recipes.space import Categorical, SearchSpace

    space = SearchSpace({"lr": Float(1e-5, 1.0, log=True), "=cmd": Categorical(["=1+1", "@x"])})
    worker = bench.worker()
    study = bench.create(steps=(4,))
    bench.finish(bench.must_claim(worker), description=description(space=space))
    bench.advance(study, recipe(TwoRungs(count=1)))
    (row,) = table(bench, study)
    assert row["param.=cmd"] == "'=1+1"
    assert all(not cell.startswith(("=", "@", "+")) for cell in row.values())


def test_a_study_is_repeated_by_its_command() -> None:
    config = StudyConfig.model_validate(
        {
            "name": "n",
            "task": "/a folder/t.py:T",
            "task_args": {"size": 3},
            "set": {"hidden": 64, "nesterov": True},
            "space": {"lr": {"kind": "float", "low": 1e-4, "high": 0.1, "log": True}},
            "incumbent": {"lr": 0.1, "weight_decay": 5e-4},
            "seed": 3,
            "budget": {"wall_seconds": 900},
            "max_rounds": 2,
            "autopilot": False,
            "steps": (1, 2),
        }
    )
    assert command(config) == (
        "sevenstep run '/a folder/t.py:T' --arg size=3 --set hidden=64 --set nesterov=true"
        " --set lr=0.0001..0.1 --incumbent lr=0.1,weight_decay=0.0005 --seed 3 --budget 15m"
        " --steps 1,2 --max-rounds 2 --no-autopilot"
    )
