"""A run cut at rungs is the uninterrupted one, bit by bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from recipes.curve import CurveKey, join
from recipes.outcome import MemberOutcome
from recipes.run import RunSpec
from recipes.trial import TrialCause, TrialState
from tests.worker_tests.training_tasks import (
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Positions,
    Regression,
    Regularised,
    run_spec,
    trained,
)
from worker.training.checkpoint import Checkpoint, read_progress
from worker.training.collecting import CollectingReporter

EVERYTHING: dict[str, Any] = {
    "evaluate": ("val", "train"),
    "evaluate_samples": 100,
    "internals_every": 3,
    "keep_snapshot": True,
    "evaluate_at_best": ("val", "test"),
    "probes": ("initialisation",),
}


def in_rungs(task: Blobs, run: RunSpec, *rungs: int) -> CollectingReporter:
    """The run in several jobs; each goes on from the newest checkpoint of the one before."""
    report = CollectingReporter()
    for until in (*rungs, None):
        resume = {trial: found[-1] for trial, found in report.checkpoints.items()}
        trained(task, run.model_copy(update={"until_epoch": until}), report, resume=resume)
    return report


def timeless(outcome: MemberOutcome) -> MemberOutcome:
    return outcome.model_copy(update={"seconds": 0.0})


def points(report: CollectingReporter, trial: int = 0) -> dict[CurveKey, Any]:
    return join(block for block in report.blocks if block.trial == trial)


def assert_equal(whole: CollectingReporter, cut: CollectingReporter) -> None:
    assert whole.outcomes.keys() == cut.outcomes.keys()
    for trial, outcome in whole.outcomes.items():
        assert timeless(outcome) == timeless(cut.outcomes[trial])
        assert points(whole, trial) == points(cut, trial)
    assert whole.snapshots == cut.snapshots


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "linear", "inverse_sqrt"])
def test_every_optimizer_and_schedule_goes_on_exactly(optimizer: str, schedule: str) -> None:
    params = {
        "lr": 0.01, "optimizer": optimizer, "schedule": schedule, "warmup": 0.2, "grad_clip": 1.0,
        "weight_decay": 1e-3, "batch_size": 64, "label_smoothing": 0.1,
    }  # fmt: skip
    run = run_spec(params, epochs=4, **EVERYTHING)
    whole = trained(Regularised(), run)

    assert whole.outcomes[0].state is TrialState.COMPLETE
    assert len(points(whole)) >= 10
    assert_equal(whole, in_rungs(Regularised(), run, 1, 3))


@pytest.mark.parametrize(
    "task", [Blobs(), OwnLoss(), Binary(), Multilabel(), Regression(), Positions()]
)
def test_every_kind_goes_on_exactly(task: Blobs) -> None:
    run = run_spec({"batch_size": 32}, {"batch_size": 64}, epochs=4, **EVERYTHING)
    whole = trained(task, run)

    assert all(outcome.message is None for outcome in whole.outcomes.values())
    assert_equal(whole, in_rungs(task, run, 2))


def test_an_open_block_of_a_thinned_curve_crosses_the_rung() -> None:
    run = run_spec({"batch_size": 4}, epochs=40, evaluate=())  # 2,560 iterations: blocks of two
    odd = run_spec({"batch_size": 5}, epochs=79, evaluate=())  # 52 an epoch: blocks of three
    for spec, rungs in ((run, (3,)), (odd, (1, 2, 5))):
        whole = trained(Blobs(), spec)
        assert len(whole.curve("loss").values) < whole.outcomes[0].iterations
        assert_equal(whole, in_rungs(Blobs(), spec, *rungs))


def test_a_pause_leaves_a_checkpoint_and_waits() -> None:
    told: list[tuple[str, int]] = []

    class Ordered(CollectingReporter):
        def checkpoint(self, trial, epoch, iteration, content):  # type: ignore[no-untyped-def]
            told.append(("checkpoint", epoch))
            super().checkpoint(trial, epoch, iteration, content)

        def snapshot(self, trial, epoch, iteration, content):  # type: ignore[no-untyped-def]
            told.append(("snapshot", epoch))

        def outcome(self, outcome):  # type: ignore[no-untyped-def]
            told.append((outcome.state, outcome.iterations))
            super().outcome(outcome)

    run = run_spec(
        {"batch_size": 64}, epochs=9, until_epoch=2, keep_snapshot=True, evaluate_at_best=("test",)
    )
    report = trained(Blobs(), run, Ordered())
    outcome = report.outcomes[0]

    assert told == [("checkpoint", 2), (TrialState.WAITING, 8)]
    assert outcome.cause is None
    assert [each.iteration for each in outcome.on("val")] == [0, 4, 8]
    assert (outcome.snapshot_epoch, outcome.at_best) == (None, ())
    assert report.curve("loss").iterations == tuple(range(8))


def test_the_last_rung_is_the_end() -> None:
    report = trained(Blobs(), run_spec(epochs=2, until_epoch=2))

    assert report.outcomes[0].cause is TrialCause.FINISHED
    assert report.checkpoints == {}


def test_a_checkpoint_that_stands_at_the_rung_already_waits_again() -> None:
    run = run_spec({"batch_size": 32}, epochs=4, until_epoch=2, **EVERYTHING)
    first = trained(Regularised(), run)
    again = trained(Regularised(), run, resume={0: first.checkpoints[0][-1]})

    assert timeless(again.outcomes[0]) == timeless(first.outcomes[0])
    assert again.checkpoints == {}
    assert again.blocks == []


def test_a_run_killed_between_rungs_goes_on_from_its_last_checkpoint() -> None:
    run = run_spec({"batch_size": 32, "momentum": 0.9}, epochs=6, **EVERYTHING)
    whole = trained(Regularised(), run)
    first = trained(Regularised(), run.model_copy(update={"until_epoch": 2}))
    calls = iter(range(1_000_000))
    killed = CollectingReporter(stop_when=lambda: next(calls) >= 20)  # in its third epoch
    trained(Regularised(), run, killed, resume={0: first.checkpoints[0][-1]}, checkpoint_seconds=0)
    assert killed.outcomes == {}
    checkpoint = killed.checkpoints[0][-1]
    assert checkpoint.epoch == 4
    last = trained(Regularised(), run, resume={0: checkpoint})

    assert timeless(last.outcomes[0]) == timeless(whole.outcomes[0])
    assert last.snapshots == whole.snapshots


def test_a_member_that_ends_before_the_rung_does_not_wait() -> None:
    run = run_spec({"lr": 1e9}, {"lr": 0.05}, epochs=9, until_epoch=3, stop_if_loss_above=1e3)
    outcomes = trained(Blobs(), run).outcomes

    assert outcomes[0].state is TrialState.COMPLETE
    assert outcomes[0].cause in (TrialCause.DIVERGED, TrialCause.NON_FINITE)
    assert outcomes[1].state is TrialState.WAITING


def test_seconds_add_up_over_jobs() -> None:
    run = run_spec(epochs=2)
    first = trained(Blobs(), run.model_copy(update={"until_epoch": 1})).checkpoints[0][0]
    spent = read_progress(first.content).model_copy(update={"seconds": 1_000.0})
    content = save(load(first.content), metadata={"progress": spent.model_dump_json()})
    report = trained(Blobs(), run, resume={0: Checkpoint(1, first.iteration, content)})

    assert 0 < read_progress(first.content).seconds < 1_000
    assert 1_000 < report.outcomes[0].seconds < 1_100


def test_what_was_drawn_in_between_plays_no_part() -> None:
    run = run_spec({"batch_size": 32}, epochs=3, **EVERYTHING)
    whole = trained(Regularised(), run)
    first = trained(Regularised(), run.model_copy(update={"until_epoch": 1}))
    torch.rand(17)
    trained(Blobs(), run_spec(epochs=1))
    second = trained(Regularised(), run, resume={0: first.checkpoints[0][-1]})

    assert timeless(whole.outcomes[0]) == timeless(second.outcomes[0])
