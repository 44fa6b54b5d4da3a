"""What the pages ask of lists: studies by a text, trials by rung, queues, a worker's work."""

from __future__ import annotations

import re
from typing import Any

import pytest

from recipes.space import Categorical, SearchSpace
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialPurpose
from service.database.engine import Database
from service.errors import InvalidInput, NotFound
from service.settings import Settings
from service.streams import cursors
from service.use_cases import studies, trials, workers
from service.views.trial_order import by_parameter
from tests.pages_tests.states import States, every_state


@pytest.fixture
def states(database: Database) -> States:
    with database.write() as session:
        return every_state(session)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AUSED", ["is paused"]),
        ("is ", ["is stuck", "is paused"]),
        ("%", []),
        ("_", []),
        ("no such", []),
    ],
)
def test_studies_are_found_by_a_part_of_their_name(
    database: Database, states: States, text: str, found: list[str]
) -> None:
    with database.read() as session:
        page = studies.list_studies(session, text=text)
    assert [study.name for study in page.items] == found


def test_studies_are_found_by_task_and_by_id(database: Database, states: States) -> None:
    with database.write() as session:
        made = studies.create(session, StudyConfig(name="mine", task="my.module:Net"))
    with database.read() as session:
        by_task = studies.list_studies(session, text="MODULE:net")
        by_id = studies.list_studies(session, text=made.id[:10])
    assert [study.id for study in by_task.items] == [made.id]
    assert [study.id for study in by_id.items] == [made.id]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task": "digits\x00"}, "task"),
        ({"task_args": {"note": "a\x00b"}}, "task_args.note"),
        ({"task_args": {"no\x00te": 1}}, "task_args"),
        ({"set": {"norm": "\x00"}}, "set.norm"),
        ({"incumbent": {"norm": "\x00"}}, "incumbent.norm"),
        ({"space": SearchSpace({"norm": Categorical(["batch", "\x00"])})}, "space.norm"),
        ({"space": SearchSpace({"\x00": Categorical([1, 2])})}, "space"),
    ],
    ids=["task", "argument", "its name", "fixed", "incumbent", "choice", "range"],
)
def test_a_text_that_would_spoil_every_search_is_refused(
    database: Database, fields: dict[str, Any], field: str
) -> None:
    config = StudyConfig.model_validate({"name": "mine", "task": "digits", **fields})
    said = rf"^{re.escape(field)}: .*\\x00.* does not fit; leave out the NUL character$"
    with database.write() as session, pytest.raises(InvalidInput, match=said):
        studies.create(session, config)
    with database.read() as session:
        assert studies.list_studies(session, text="digits").items == ()


def test_a_state_can_be_left_out(database: Database, states: States) -> None:
    with database.read() as session:
        page = studies.list_studies(session, without=StudyState.NEEDS_ACTION)
        counts = studies.count_by_state(session)
    assert StudyState.NEEDS_ACTION not in {study.state for study in page.items}
    assert counts[StudyState.NEEDS_ACTION] == 2
    assert len(page.items) == sum(counts.values()) - 2


def test_trials_are_listed_rung_by_rung(database: Database, states: States) -> None:
    whole = states.studies["completed"]
    with database.read() as session:
        page = trials.list_trials(session, whole, sort="-rung", limit=100)
        checks = trials.list_trials(session, states.studies["running"], purpose=TrialPurpose.CHECK)
    order = [(-(trial.iterations or 0), -(trial.value or 0.0)) for trial in page.items]
    assert order == sorted(order)
    assert [trial.number for trial in checks.items] == [states.trials["untrained"]]
    assert by_parameter([], "lr") == []


@pytest.mark.parametrize(
    "kind",
    ["studies", "trials by größe", "trials by net:lr", f"trials by {'🧪' * 200}"],
    ids=["plain", "umlauts", "colon", "long"],
)
def test_a_cursor_of_a_list_comes_back_whatever_it_is_sorted_by(kind: str) -> None:
    cursor = cursors.encode(kind, 2**63 - 1)
    assert len(cursor) <= cursors.MAX_LENGTH
    assert cursors.decode(kind, cursor) == 2**63 - 1
    with pytest.raises(InvalidInput, match="next_cursor"):
        cursors.decode("another list", cursor)


def test_a_waiting_trial_knows_its_place_in_the_queue(database: Database, states: States) -> None:
    running = states.studies["running"]
    with database.read() as session:
        places = {
            name: trials.place_in_queue(session, running, number)
            for name, number in states.trials.items()
        }
        assert workers.queue(session) == 1
    assert places.pop("waiting") == 0
    assert set(places.values()) == {None}


def test_a_worker_has_what_it_did_newest_first(
    database: Database, settings: Settings, states: States
) -> None:
    with database.read() as session:
        found = workers.attempts_of(session, states.workers["busy"], limit=3)
        assert workers.attempts_of(session, states.workers["idle"], limit=3) == []
        with pytest.raises(NotFound):
            workers.attempts_of(session, "none", limit=3)
    assert [each.trials for each in found] == [
        (states.trials["untrained"],),
        (states.trials["cancelled"],),
        (states.trials["non_finite"],),
    ]
    assert {each.study_name for each in found} == {"runs"}
