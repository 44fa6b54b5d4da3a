"""The same seed gives the same report, however many slots and machines there are."""

import pytest

from tests.in_process import run_study
from tests.processes import Installation
from worker.tasks.digits import DigitsMLP

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("one") / "data") as installation:
        return installation.run("digits", seed=5)


def test_four_slots_give_the_report_of_one(one_slot, tmp_path):
    with Installation(tmp_path / "data", slots=4) as installation:
        assert installation.run("digits", seed=5) == one_slot


def test_two_machines_give_the_report_of_one(one_slot, tmp_path):
    with Installation(tmp_path / "data", worker=False) as installation:
        installation.add_agent(tmp_path / "home a", name="a")
        installation.add_agent(tmp_path / "home b", name="b")
        report = installation.run("digits", seed=5)
        worked = installation.rows(
            "SELECT worker.name, count(*) FROM attempt JOIN worker ON worker.id = worker_id"
            " GROUP BY 1"
        )

    assert report == one_slot
    assert [name for name, _ in sorted(worked)] == ["a", "b"], worked


def test_another_seed_gives_another_report(one_slot, tmp_path):
    with Installation(tmp_path / "data") as installation:
        assert installation.run("digits", seed=6) != one_slot


def test_the_service_concludes_what_the_recipe_concludes(one_slot):
    alone = run_study(DigitsMLP(), seed=5)

    assert [step["sentence"] for step in one_slot["steps"]] == [step.sentence for step in alone]
