"""The best epoch's weights: kept, evaluated, started from and averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.outcome import Evaluation
from recipes.run import MemberSpec, RunSpec
from recipes.trial import TrialCause, TrialState
from tests.worker_tests.training_tasks import (
    CPU,
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Regression,
    Regularised,
    run_spec,
    trained,
)
from worker.training.best import Objective
from worker.training.collecting import CollectingReporter
from worker.training.snapshot import read_info, rebuild

KEPT: dict[str, Any] = {"keep_snapshot": True, "evaluate_at_best": ("val", "test")}


class Wide(Blobs):
    """As many hidden units as the setting says."""

    def model(self, params: Mapping[str, Any]) -> nn.Module:
        hidden = int(params.get("hidden", 16))
        return nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 4))


def accuracy(evaluation: Evaluation) -> float:
    return evaluation.metrics["accuracy"].mean


def using(
    trials: tuple[int, ...], params: dict[str, Any] | None = None, **settings: Any
) -> RunSpec:
    member = MemberSpec(
        trial=99, params={"lr": 0.01, **(params or {})}, seed=1, data_seed=2, snapshots=trials
    )
    return RunSpec(members=(member,), **settings)


@pytest.mark.parametrize(
    ("task", "lr"), [(Blobs(), 0.3), (Regularised(), 0.3), (Regression(), 0.1)]
)
def test_the_best_epochs_weights_are_kept_and_evaluated_whole(task: Blobs, lr: float) -> None:
    run = run_spec({"lr": lr, "batch_size": 16, "momentum": 0.95}, epochs=8, **KEPT)
    report = trained(task, run)
    outcome = report.outcomes[0]
    metric = "r2" if isinstance(task, Regression) else "accuracy"
    values = [each.metrics[metric].mean for each in outcome.on("val")]
    best = 1 + max(range(8), key=lambda at: (values[1 + at], -at))

    assert best < 8  # else the last weights would do as well
    assert outcome.snapshot_epoch == best
    val, test = outcome.at_best
    assert (val.split, test.split) == ("val", "test")
    assert val.metrics == outcome.on("val")[best].metrics
    assert val.correct == outcome.on("val")[best].correct
    assert test.loss.n == 60
    assert test.correct is not None or isinstance(task, Regression)
    info = read_info(report.snapshots[0])
    assert (info.trial, info.epoch, info.iteration) == (0, best, val.iteration)
    assert info.params == run.members[0].params


def test_of_equal_epochs_the_first_is_best_and_the_untrained_model_never() -> None:
    decides = Objective("accuracy", "maximize")
    found = trained(Blobs(), run_spec({"lr": 1e-30}, epochs=3, **KEPT)).outcomes[0]
    assert len({accuracy(each) for each in found.on("val")}) == 1
    assert found.snapshot_epoch == 1

    worse = trained(Blobs(), run_spec({"lr": 50.0}, epochs=3, **KEPT)).outcomes[0]
    assert worse.snapshot_epoch != 0
    assert decides.best_epoch(found.on("val")[:1]) is None


def test_a_loss_that_decides_is_minimised() -> None:
    class ByLoss(Blobs):
        objective = ("loss", "minimize")

    outcome = trained(ByLoss(), run_spec({"lr": 0.2, "batch_size": 8}, epochs=6, **KEPT)).outcomes[
        0
    ]
    losses = [each.loss.mean for each in outcome.on("val")]
    assert outcome.snapshot_epoch == losses.index(min(losses[1:]))


def test_a_run_that_diverges_keeps_the_epoch_before() -> None:
    class Poisoned(Blobs):
        def augment(self, batch: Any, generator: torch.Generator) -> Any:
            self.count = getattr(self, "count", 0) + 1
            return (batch[0] * (math.nan if self.count == 20 else 1), batch[1])

    report = trained(Poisoned(), run_spec({"batch_size": 32}, epochs=5, **KEPT))
    outcome = report.outcomes[0]

    assert outcome.cause is TrialCause.NON_FINITE
    assert outcome.snapshot_epoch in (1, 2)
    assert math.isfinite(outcome.at_best[1].loss.mean)


def test_without_a_finite_epoch_there_is_no_best() -> None:
    run = run_spec({"lr": 1e9}, epochs=2, stop_if_non_finite=False, **KEPT)

    class ByLoss(Blobs):
        objective = ("loss", "minimize")

    report = trained(ByLoss(), run)
    assert report.outcomes[0].cause is TrialCause.FINISHED
    assert report.outcomes[0].snapshot_epoch is None
    assert report.outcomes[0].at_best == ()
    assert report.snapshots == {}


def test_a_dropped_member_leaves_nothing() -> None:
    run = run_spec({}, epochs=3, **KEPT)
    report = trained(Blobs(), run, CollectingReporter(drop=frozenset({0})))

    assert report.outcomes[0].state is TrialState.PRUNED
    assert (report.snapshots, report.outcomes[0].at_best) == ({}, ())


def test_only_the_best_and_the_last_validation_keep_their_bitmaps() -> None:
    run = run_spec({"lr": 0.3, "batch_size": 16}, epochs=8, evaluate=("train", "val"))
    report = trained(Blobs(), run, checkpoint_seconds=0)
    outcome = report.outcomes[0]
    on_val = outcome.on("val")
    best = Objective("accuracy", "maximize").best_epoch(on_val)

    assert best is not None
    kept = [at for at, each in enumerate(on_val) if each.correct is not None]
    assert kept == sorted({best, 8})
    assert all(each.correct is None for each in outcome.on("train"))
    # And so it is whoever carried the run on.
    resumed = trained(Blobs(), run, resume={0: report.checkpoints[0][2]}).outcomes[0]
    assert resumed.evaluations == outcome.evaluations


def test_a_rebuilt_model_is_the_one_that_was_kept() -> None:
    task = Wide()
    report = trained(task, run_spec({"hidden": 7, "init": "kaiming"}, epochs=2, **KEPT))
    model = rebuild(task, report.snapshots[0], CPU).eval()
    inputs, target = task.data("test")
    with torch.no_grad():
        loss = F.cross_entropy(model(inputs), target)

    assert float(loss) == pytest.approx(report.outcomes[0].at_best[1].loss.mean, rel=1e-6)


def test_a_member_can_start_from_a_snapshot() -> None:
    report = trained(Regularised(), run_spec({"lr": 0.1}, epochs=3, **KEPT))
    end = report.outcomes[0].at_best[0]
    run = using((0,), {"lr": 0.001, "optimizer": "adam"}, epochs=2, **KEPT)
    warm = trained(Regularised(), run, snapshots=report.snapshots, checkpoint_seconds=0)
    cold = trained(Regularised(), using((), {"lr": 0.001, "optimizer": "adam"}, epochs=2))

    first = warm.outcomes[99].on("val")[0]
    assert first.metrics == end.metrics
    assert accuracy(first) > accuracy(cold.outcomes[99].on("val")[0])
    assert warm.outcomes[99].snapshot_epoch in (1, 2)
    # Its batches and masks follow its own seeds, and a resume needs no snapshot.
    again = trained(Regularised(), run, resume={99: warm.checkpoints[99][0]})
    assert again.outcomes[99].evaluations == warm.outcomes[99].evaluations


def test_a_snapshot_can_be_measured_again_without_training() -> None:
    report = trained(Blobs(), run_spec(epochs=3, **KEPT))
    run = using((0,), iterations=0, evaluate=("train",), **KEPT)
    outcome = trained(Blobs(), run, snapshots=report.snapshots).outcomes[99]

    assert [each.metrics for each in outcome.at_best] == [
        each.metrics for each in report.outcomes[0].at_best
    ]
    assert [each.split for each in outcome.evaluations] == ["train"]
    assert outcome.snapshot_epoch is None


def test_a_snapshot_of_other_layers_is_refused() -> None:
    report = trained(Wide(), run_spec({"hidden": 7}, epochs=1, **KEPT))
    run = using((0,), {"hidden": 8}, epochs=1)
    outcome = trained(Wide(), run, snapshots=report.snapshots).outcomes[99]

    assert outcome.state is TrialState.FAILED
    assert "the snapshot of trial 0 does not fit the model (0.bias, 0.weight, 2.weight" in str(
        outcome.message
    )


def test_a_missing_snapshot_fails_the_member_that_needs_it() -> None:
    outcome = trained(Blobs(), using((3,), epochs=1)).outcomes[99]

    assert outcome.state is TrialState.FAILED
    assert "trial 3" in (outcome.message or "")


@pytest.mark.parametrize("settings", [{"keep_snapshot": True}, {"evaluate_at_best": ("test",)}])
def test_the_best_epoch_is_found_on_val(settings: dict[str, Any]) -> None:
    outcome = trained(Blobs(), run_spec(epochs=1, evaluate=("train",), **settings)).outcomes[0]

    assert "evaluate: ('train',) does not fit; the best epoch is found on val" in str(
        outcome.message
    )


def outputs_of(task: Blobs, report: CollectingReporter, split: str) -> tuple[list[Tensor], Tensor]:
    inputs, target = task.data(split)
    with torch.no_grad():
        models = [rebuild(task, each, CPU).eval() for each in report.snapshots.values()]
        return [model(inputs).double() for model in models], target


def averaged(task: Blobs, *params: dict[str, Any]) -> tuple[CollectingReporter, Evaluation]:
    """Members trained, and their average on the test split."""
    report = trained(task, run_spec(*params, epochs=2, **KEPT))
    run = using(tuple(report.snapshots), iterations=0, **KEPT)
    outcome = trained(task, run, snapshots=report.snapshots).outcomes[99]
    assert outcome.message is None
    assert (outcome.cause, outcome.iterations) == (TrialCause.FINISHED, 0)
    assert [each.split for each in outcome.evaluations] == ["val"]
    val, test = outcome.at_best
    assert val.metrics == outcome.evaluations[0].metrics
    return report, test


def test_an_average_of_classifiers_has_the_mean_probability() -> None:
    task = Wide()
    report, test = averaged(task, {"hidden": 3}, {"hidden": 16}, {"hidden": 5, "lr": 0.01})
    outputs, target = outputs_of(task, report, "test")
    mean = torch.stack([output.softmax(1) for output in outputs]).mean(0)

    assert test.loss.n == 60
    assert test.loss.mean == pytest.approx(float(F.nll_loss(mean.log(), target)), rel=1e-5)
    assert accuracy(test) == float((mean.argmax(1) == target).double().mean())
    assert test.correct is not None


@pytest.mark.parametrize("task", [Binary(), Multilabel()])
def test_an_average_of_yes_and_no_has_the_mean_probability(task: Blobs) -> None:
    report, test = averaged(task, {"lr": 0.1}, {"lr": 0.01})
    outputs, target = outputs_of(task, report, "test")
    mean = torch.stack([output.sigmoid() for output in outputs]).mean(0)

    expected = F.binary_cross_entropy(mean, target.double())
    assert test.loss.mean == pytest.approx(float(expected), rel=1e-5)
    assert accuracy(test) == pytest.approx(float(((mean > 0.5) == (target > 0.5)).double().mean()))


def test_an_average_of_sure_models_stays_finite() -> None:
    class Sure(Binary):
        def model(self, params: Any) -> nn.Module:
            layer = nn.Linear(8, 1)
            nn.init.constant_(layer.bias, 1_000.0 if params["lr"] > 0.05 else -1_000.0)
            return layer

    _, test = averaged(Sure(), {"lr": 0.1}, {"lr": 0.0001})
    assert test.loss.mean == pytest.approx(math.log(2), abs=0.01)  # one of the two is right


def test_an_average_of_regressions_is_the_mean_output() -> None:
    task = Regression()
    report, test = averaged(task, {"lr": 0.1}, {"lr": 0.01})
    outputs, target = outputs_of(task, report, "test")
    expected = F.mse_loss(torch.stack(outputs).mean(0), target.double())

    assert test.metrics["mse"].mean == pytest.approx(float(expected), rel=1e-5)


def test_a_loss_of_the_tasks_own_sees_the_mean_output() -> None:
    task = OwnLoss()
    report, test = averaged(task, {"lr": 0.1}, {"lr": 0.01})
    outputs, target = outputs_of(task, report, "test")
    expected = F.cross_entropy(torch.stack(outputs).mean(0), target)

    assert test.loss.mean == pytest.approx(float(expected), rel=1e-4)


def test_models_that_write_into_their_input_are_averaged_on_the_same_samples() -> None:
    class Halving(nn.Sequential):
        def forward(self, inputs: Tensor) -> Tensor:
            output: Tensor = super().forward(inputs.div_(2))
            return output

    class Halves(Blobs):
        def model(self, params: Any) -> nn.Module:
            return Halving(nn.Linear(8, 4))

    task = Halves()
    report, test = averaged(task, {"lr": 0.1}, {"lr": 0.01})
    inputs, target = task.data("test")
    with torch.no_grad():
        models = [rebuild(task, each, CPU).eval() for each in report.snapshots.values()]
        mean = torch.stack([model(inputs.clone()).softmax(1) for model in models]).mean(0)

    assert test.loss.mean == pytest.approx(float(F.nll_loss(mean.log(), target)), rel=1e-5)


@pytest.mark.parametrize("with_average", [False, True])
def test_a_test_split_that_cannot_be_evaluated_leaves_the_member_its_validation(
    with_average: bool,
) -> None:
    class Hidden(Blobs):
        def data(self, split: str) -> tuple[Tensor, Tensor]:
            inputs, target = super().data(split)
            return inputs, torch.full_like(target, -1) if split == "test" else target

    task = Hidden()
    report = trained(task, run_spec({}, {"lr": 0.1}, epochs=2, **KEPT))
    outcome = report.outcomes[0]
    if with_average:
        run = using(tuple(report.snapshots), iterations=0, **KEPT)
        outcome = trained(task, run, snapshots=report.snapshots).outcomes[99]

    assert (outcome.state, outcome.cause) == (TrialState.COMPLETE, TrialCause.FINISHED)
    assert [each.split for each in outcome.at_best] == ["val"]
    assert (outcome.message or "").startswith("The test split could not be evaluated: IndexError")
    assert set(report.snapshots) == {0, 1}
