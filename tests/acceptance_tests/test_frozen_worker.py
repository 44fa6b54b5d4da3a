"""A worker that froze past its lease and thaws when others did its work changes no row."""

import signal

import psutil
import pytest

from tests.processes import Installation, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes"), pytest.mark.timeout(400)]

TASK = "digits-conv"
"""Long enough to be frozen in the middle of a run."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("undisturbed") / "data") as installation:
        return installation.run(TASK, seed=3)


def training(installation):
    """The running attempt that has reported points: its id and fence, and its key."""
    return installation.rows(
        "SELECT DISTINCT attempt.uid, attempt.fence, attempt.id FROM attempt"
        " JOIN curve ON curve.attempt_id = attempt.id WHERE attempt.state = 'running'"
    )


@pytest.mark.parametrize("with_slot", [True, False], ids=["agent and slot", "agent alone"])
def test_a_frozen_worker_changes_no_row_when_it_thaws(with_slot, undisturbed, tmp_path):
    with Installation(tmp_path / "data", worker=False) as installation:
        agent = psutil.Process(installation.add_agent(tmp_path / "cold", name="cold").pid)
        study = installation.create(TASK, seed=3)
        ((uid, fence, key),) = wait_for(lambda: training(installation), what="a training run")
        state = f"SELECT state FROM attempt WHERE id = {key}"
        frozen = [*agent.children(recursive=True), agent] if with_slot else [agent]
        assert len(frozen) == 1 + with_slot
        for process in frozen:
            process.send_signal(signal.SIGSTOP)
        assert installation.rows(state) == [("running",)], "the run ended before it was frozen"

        installation.add_agent(tmp_path / "warm", name="warm")
        assert installation.outcome(study) == undisturbed
        assert installation.rows(state) == [("lost",)]
        # When a worker was last seen may change: nothing else may.
        before = installation.dump(without=("worker",))
        for process in frozen:
            process.send_signal(signal.SIGCONT)
        log = tmp_path / "cold" / "agent.log"
        refused = f"attempt {uid}: abandoned: HTTP 409 fenced"
        wait_for(lambda: refused in log.read_text(), what="the refusal of what came late")

        assert late_writes(installation, uid, fence) == {
            "heartbeat": (409, "fenced"),
            "points": (409, "fenced"),
            "finish": (409, "fenced"),
        }
        assert installation.dump(without=("worker",)) == before
        installation.stop_agents(but={agent.pid})
        # The thawed one is of use again, and by then has said all it had to say.
        assert installation.run(TASK, seed=3) == undisturbed
        assert installation.rows(state) == [("lost",)]
        assert installation.outcome(study) == undisturbed


def late_writes(installation, attempt, fence):
    """What the service answers to each kind of write with the lost attempt's fence."""
    point = {"metric": "loss", "split": "train", "iterations": [0], "values": [9.0]}
    bodies = {
        "heartbeat": {"fence": fence},
        "points": {"fence": fence, "blocks": [{"trial": 0, **point}], "outcomes": []},
        "finish": {"fence": fence, "state": "succeeded"},
    }
    with installation.http() as http:
        answers = {
            what: http.post(f"/api/v1/attempts/{attempt}/{what}", json=body)
            for what, body in bodies.items()
        }
    return {what: (answer.status_code, answer.json()["code"]) for what, answer in answers.items()}
