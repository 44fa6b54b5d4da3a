"""Steering a whole study under way, by command line and by REST, with a service that dies.

After each verb the service is killed and started again: what a person said holds.
"""

import subprocess
from pathlib import Path

import pytest

from tests.acceptance_tests.small_study import SEARCHES
from tests.acceptance_tests.tasks import FILE, path
from tests.processes import Installation, sevenstep, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(400),
]

TASK = path("Clouds")
SEED = 5


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("steered") / "data", slots=2) as installation:
        yield installation


@pytest.fixture(scope="module")
def untouched(installation):
    """What the study is when nobody touches it."""
    return installation.run(TASK, seed=SEED, **SEARCHES)


def command(installation, *words):
    done: subprocess.CompletedProcess[str] = sevenstep(
        "study", *words, "--data-dir", str(installation.data_dir)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def post(installation, study, verb, body=None):
    with installation.http() as http:
        answer = http.post(f"/api/v1/studies/{study}/{verb}", json=body)
    return answer.raise_for_status().json()


def view(installation, study):
    with installation.client() as client:
        return client.study(study)


def until(installation, study, *states):
    """Wait for one of the states; the view."""

    def there():
        seen = view(installation, study)
        return seen if seen.state in states else None

    return wait_for(there, seconds=120, every=0.1, what=f"{states}")


def until_it_trains(installation, step):
    """Wait for a running attempt of a step of the newest study."""
    wait_for(
        lambda: installation.rows(
            "SELECT 1 FROM attempt JOIN job ON job.id = job_id"
            " JOIN step_run ON step_run.id = step_run_id WHERE attempt.state = 'running'"
            f" AND step_run.number = {step}"
            " AND step_run.study_id = (SELECT max(id) FROM study)"
        ),
        seconds=120,
        what=f"training in step {step}",
    )


def test_a_paused_study_stays_paused_and_ends_as_if_it_had_not_been(installation, untouched):
    study = installation.create(TASK, seed=SEED, **SEARCHES)
    until_it_trains(installation, 5)
    assert "is paused" in command(installation, "pause", study)
    installation.kill("service")

    wait_for(lambda: not running(installation), what="what ran to end")
    paused = view(installation, study)
    assert paused.state == "paused"
    planned = installation.rows("SELECT count(*) FROM job")
    installation.kill("service")
    later = view(installation, study)
    assert later.state == "paused"
    assert later.budget.used.wall_seconds == paused.budget.used.wall_seconds
    assert installation.rows("SELECT count(*) FROM job") == planned

    assert post(installation, study, "resume")["state"] == "running"
    installation.kill("service")
    assert installation.outcome(study) == untouched


def running(installation):
    return installation.rows("SELECT 1 FROM attempt WHERE state IN ('running', 'stopping')")


def test_a_cancelled_study_is_over_and_frees_its_slots(installation, untouched):
    study = installation.create(TASK, seed=SEED, **SEARCHES)
    until_it_trains(installation, 4)
    assert post(installation, study, "cancel")["state"] == "cancelled"
    installation.kill("service")

    assert view(installation, study).state == "cancelled"
    with installation.client() as client:
        report = client.report(study)
    assert {str(trial.state) for trial in report.trials} <= {"cancelled", "complete", "pruned"}
    assert any(trial.state == "cancelled" for trial in report.trials)
    # Both slots are free for another one.
    assert installation.run(TASK, seed=SEED, **SEARCHES) == untouched


def test_what_is_accepted_is_what_would_have_been_done(installation, untouched):
    study = installation.create(TASK, seed=SEED, autopilot=False, **SEARCHES)
    waits = until(installation, study, "needs_action")
    assert waits.decision_step == 7
    assert {"accept", "skip"} <= set(waits.verbs)
    installation.kill("service")
    assert view(installation, study).state == "needs_action"

    command(installation, "accept", study)
    installation.kill("service")
    report, curves = installation.outcome(study)

    first = next(step for step in report["steps"] if step["number"] == 7)
    assert first["accepted"]
    for part in ("trials", "best", "test", "findings", "rounds"):
        assert report[part] == untouched.report[part]
    assert curves == untouched.curves


def test_a_skipped_change_is_left_out_and_the_reason_kept(installation):
    study = installation.create(TASK, seed=SEED, autopilot=False, **SEARCHES)
    until(installation, study, "needs_action")
    command(installation, "skip", study, "--reason", "one round will do")
    installation.kill("service")

    report = installation.wait(study)
    assert report.state == "completed", report.reason
    assert {step.round for step in report.steps} == {1}
    first, last = (step for step in report.steps if step.number == 7)
    assert (str(first.state), first.skip_reason) == ("skipped", "one round will do")
    assert last.pass_number == 2
    assert "was skipped" in last.sentence
    assert report.best.num_seeds == 5
    assert report.test is not None


def test_a_step_is_run_again_after_the_task_was_changed(installation, tmp_path):
    file = Path(tmp_path / "mine.py")
    file.write_text(FILE.read_text())
    study = installation.create(f"{file}:Clouds", seed=SEED, **SEARCHES)
    until_it_trains(installation, 5)
    with installation.client() as client:
        client.pause(study)  # a run that begins under a changed file would end the study
        wait_for(lambda: not running(installation), what="what ran to end")
        before = client.report(study)
    # Clouds so far apart that none is mistaken for another.
    file.write_text(FILE.read_text().replace("* 0.9", "* 3.0"))
    assert post(installation, study, "steps/5/rerun")["state"] == "pending"
    installation.kill("service")

    report = installation.wait(study)
    assert report.state == "completed", report.reason
    assert report.digest != before.digest
    states = [(step.number, str(step.state)) for step in report.steps]
    assert states[0][0] == 4
    assert states[0][1] != "stale"
    assert states[1] == (5, "stale")
    assert states.count((4, "stale")) == 0
    redone = report.steps[2]
    assert (redone.number, redone.pass_number) == (5, 2)
    numbers = [trial.number for trial in report.trials]
    assert numbers == list(range(len(numbers)))
    assert report.best.value > 0.99
    assert report.best.trial > max(trial.number for trial in before.trials)
