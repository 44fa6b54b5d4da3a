from __future__ import annotations

import math
from functools import partial
from itertools import compress
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.run import RunSpec, Sample
from recipes.trial import TrialCause, TrialState
from tests.worker_tests.training_tasks import (
    CPU,
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Positions,
    Raises,
    Regression,
    Regularised,
    run_spec,
    trained,
)
from worker.data.data import load_data
from worker.fused.admission import Admission
from worker.fused.train import train_together
from worker.tasks.digits import DigitsMLP
from worker.training.collecting import CollectingReporter
from worker.training.loop import train
from worker.training.seeding import batch_order, initial_seed


def test_digits_are_learned() -> None:
    report = trained(DigitsMLP(), run_spec({"hidden": 64}, epochs=5))
    outcome = report.outcomes[0]

    assert (outcome.state, outcome.cause) == (TrialState.COMPLETE, TrialCause.FINISHED)
    assert outcome.evaluation("val", last=False).metrics["accuracy"].mean < 0.3
    assert outcome.evaluation("val").metrics["accuracy"].mean > 0.9
    assert [each.iteration for each in outcome.evaluations] == [0, 17, 34, 51, 68, 85]
    assert outcome.iterations == 85


def test_the_loop_does_what_a_loop_written_by_hand_does() -> None:
    task = Blobs()
    report = trained(task, run_spec({"momentum": 0.9, "batch_size": 32}, epochs=2))

    torch.manual_seed(initial_seed(11))
    model = task.model({})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, fused=True)
    inputs, target = task.data("train")
    losses = []
    for epoch in range(2):
        # 257 samples: eight batches of 32; the one sample left over is left out.
        order = batch_order(5, epoch=epoch, num_samples=257)
        for rows in order[:256].split(32):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs[rows]), target[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    curve = report.curve("loss")
    assert curve.iterations == tuple(range(16))
    assert curve.values == tuple(losses)
    with torch.no_grad():
        val_inputs, val_target = task.data("val")
        expected = F.cross_entropy(model(val_inputs), val_target).item()
    assert report.outcomes[0].evaluation("val").loss.mean == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("task", "metric", "at_least"),
    [
        (Blobs(), "accuracy", 0.9),
        (OwnLoss(), "accuracy", 0.9),
        (Binary(), "accuracy", 0.8),
        (Multilabel(), "accuracy", 0.85),
        (Regression(), "r2", 0.5),
        (Positions(), "accuracy", 0.9),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, (str, float)) else str(each),
)
def test_every_kind_learns(task: Blobs, metric: str, at_least: float) -> None:
    outcome = trained(task, run_spec({"batch_size": 32}, epochs=10)).outcomes[0]

    assert outcome.message is None
    assert outcome.evaluation("val").metrics[metric].mean > at_least


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "linear", "inverse_sqrt"])
def test_every_optimizer_and_schedule_lowers_the_loss(optimizer: str, schedule: str) -> None:
    params = {"lr": 0.01, "optimizer": optimizer, "schedule": schedule, "warmup": 0.1}
    losses = trained(Blobs(), run_spec(params, epochs=5)).curve("loss").values

    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    "settings", [{"epochs": 4}, {"iterations": 30}], ids=["epochs", "iterations"]
)
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_resumed_run_is_the_uninterrupted_one_bit_by_bit(
    settings: dict[str, int], after: int
) -> None:
    params = {
        "batch_size": 32, "momentum": 0.9, "schedule": "cosine", "warmup": 3, "grad_clip": 1.0,
        "weight_decay": 1e-3, "label_smoothing": 0.1,
    }  # fmt: skip
    run = run_spec(params, evaluate=("val", "train"), internals_every=3, **settings)
    whole = trained(Regularised(), run, checkpoint_seconds=0)
    checkpoint = whole.checkpoints[0][after - 1]
    resumed = trained(Regularised(), run, resume={0: checkpoint}, checkpoint_seconds=0)

    assert checkpoint.epoch == after
    assert whole.outcomes[0].model_copy(update={"seconds": 0}) == resumed.outcomes[0].model_copy(
        update={"seconds": 0}
    )
    for metric in ("loss", "accuracy", "gradient_norm", "update_ratio"):
        curve, rest = whole.curve(metric), resumed.curve(metric)
        from_there = [i >= checkpoint.iteration for i in curve.iterations]
        assert any(from_there)
        assert rest.iterations == tuple(compress(curve.iterations, from_there))
        assert rest.values == tuple(compress(curve.values, from_there))
    for old, new in zip(whole.checkpoints[0][after:], resumed.checkpoints.get(0, []), strict=True):
        assert weights(old.content) == weights(new.content)


def weights(content: bytes) -> dict[str, list[float]]:
    from safetensors.torch import load

    return {name: tensor.flatten().tolist() for name, tensor in load(content).items()}


def test_thinned_points_do_not_depend_on_where_a_run_was_resumed() -> None:
    run = run_spec({"batch_size": 2}, iterations=4_500, evaluate=())  # blocks of 3, epochs of 128
    whole = trained(Blobs(), run, checkpoint_seconds=0)
    checkpoint = whole.checkpoints[0][9]
    resumed = trained(Blobs(), run, resume={0: checkpoint})

    curve, rest = whole.curve("loss"), resumed.curve("loss")
    assert checkpoint.iteration % 3 != 0  # an open block crosses the checkpoint
    assert len(curve.values) == 1_500
    assert rest.values == curve.values[-len(rest.values) :]
    assert curve.iterations == (*range(2, 4_500, 3),)
    assert rest.iterations[0] >= checkpoint.iteration


def test_the_same_run_twice_gives_the_same_numbers_whatever_ran_between() -> None:
    run = run_spec({"batch_size": 32}, epochs=2)
    first = trained(Regularised(), run)
    torch.rand(17)
    both = run_spec({"batch_size": 16}, {"batch_size": 32}, epochs=2)
    second = trained(Regularised(), both)

    assert first.curve("loss").values == second.curve("loss", trial=1).values


def test_members_with_one_data_seed_see_the_same_batches() -> None:
    seen: list[torch.Tensor] = []

    class Watched(Blobs):
        def augment(self, batch, generator):  # type: ignore[no-untyped-def]
            seen.append(batch[0])
            return batch

    trained(Watched(), run_spec({"lr": 0.1}, {"lr": 0.001}, epochs=1, evaluate=()))
    half = len(seen) // 2
    assert half > 0
    assert all(torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True))


def test_a_run_of_no_iterations_measures_the_untrained_model() -> None:
    run = run_spec({}, iterations=0, evaluate=("train", "val", "test"), probes=("initialisation",))
    report = trained(Blobs(), run)
    outcome = report.outcomes[0]

    assert (outcome.cause, outcome.iterations) == (TrialCause.FINISHED, 0)
    assert [each.split for each in outcome.evaluations] == ["train", "val", "test"]
    assert outcome.initialisation is not None
    assert outcome.initialisation.loss.mean == pytest.approx(math.log(4), abs=0.6)
    assert report.curve("loss").values == ()
    assert report.curve("eval_loss").iterations == (0,)


def test_a_non_finite_loss_ends_the_run_at_its_iteration() -> None:
    class Poisoned(Blobs):
        def augment(self, batch, generator):  # type: ignore[no-untyped-def]
            self.count = getattr(self, "count", 0) + 1
            return (batch[0] * (math.nan if self.count == 14 else 1), batch[1])

    report = trained(Poisoned(), run_spec({"batch_size": 32}, epochs=9, internals_every=1))
    outcome, curve = report.outcomes[0], report.curve("loss")

    assert (outcome.state, outcome.cause) == (TrialState.COMPLETE, TrialCause.NON_FINITE)
    assert outcome.iterations == 14
    assert curve.iterations == tuple(range(14))
    assert math.isnan(curve.values[-1])
    assert all(map(math.isfinite, curve.values[:-1]))
    assert report.curve("gradient_norm").iterations == tuple(range(14))
    assert outcome.evaluation("val").iteration == 8  # none after the end


def test_non_finite_losses_can_be_let_pass() -> None:
    run = run_spec({"lr": 1e9}, iterations=30, stop_if_non_finite=False)
    report = trained(Blobs(), run)

    assert report.outcomes[0].cause is TrialCause.FINISHED
    assert len(report.curve("loss").values) == 30
    assert math.isnan(report.outcomes[0].evaluation("val").loss.mean)


def test_a_loss_above_the_limit_ends_the_run_as_diverged() -> None:
    run = run_spec({"lr": 30.0}, iterations=100, stop_if_loss_above=4.0)
    report = trained(Blobs(), run)
    outcome, values = report.outcomes[0], report.curve("loss").values

    assert (outcome.state, outcome.cause) == (TrialState.COMPLETE, TrialCause.DIVERGED)
    assert outcome.iterations == len(values) < 100
    assert sorted(values[-5:])[2] > 4.0
    assert sorted(values[-6:-1])[2] <= 4.0 or len(values) == 5


def test_a_learned_sample_ends_the_run() -> None:
    run = run_spec(
        {"optimizer": "adam", "lr": 0.01, "batch_size": 64},
        iterations=1_000, sample=Sample(num_samples=32, seed=3), regularisation=False,
        evaluate=("train",), stop_if_loss_below=0.05,
    )  # fmt: skip
    report = trained(Blobs(), run)
    outcome, losses = report.outcomes[0], report.curve("loss")

    assert outcome.cause is TrialCause.FINISHED
    assert outcome.iterations == len(losses.values) < 1_000
    assert all(value < 0.05 for value in losses.values[-5:])
    assert losses.values[-6] >= 0.05
    assert report.curve("accuracy").values[-1] == 1.0
    evaluation = outcome.evaluation("train")
    assert (evaluation.iteration, evaluation.loss.n) == (outcome.iterations, 32)
    # The weights are those of the iteration that ended the run.
    assert evaluation.loss.mean < losses.values[-1]


def test_a_small_sample_is_the_same_stratified_one_each_time() -> None:
    def digest(seed: int, num_samples: int | None) -> str | None:
        sample = Sample(num_samples=num_samples, seed=seed)
        return (
            trained(Blobs(), run_spec({}, iterations=0, sample=sample)).outcomes[0].sample_digest
        )

    assert digest(1, 32) == digest(1, 32)
    assert len({digest(1, 32), digest(2, 32), digest(1, 33), digest(1, None)}) == 4
    assert digest(1, None) == digest(2, None) == digest(1, 10_000)


def test_zeroed_inputs_teach_only_the_class_shares() -> None:
    sample = Sample(num_samples=32, seed=3)
    settings = {"iterations": 150, "evaluate": ("train",)}
    real = trained(Blobs(), run_spec({}, sample=sample, **settings)).outcomes[0]
    zeroed = trained(
        Blobs(), run_spec({}, sample=sample.model_copy(update={"zero_inputs": True}), **settings)
    ).outcomes[0]

    assert real.evaluation("train").metrics["accuracy"].mean == 1.0
    assert zeroed.evaluation("train").metrics["accuracy"].mean <= 0.5
    assert zeroed.evaluation("train").loss.mean == pytest.approx(math.log(4), abs=0.05)
    assert zeroed.sample_digest == real.sample_digest


def test_regularisation_off_says_what_it_switched_off() -> None:
    params = {"weight_decay": 0.01, "label_smoothing": 0.1}
    run = run_spec(params, iterations=3, regularisation=False)
    outcome = trained(Regularised(), run).outcomes[0]

    assert outcome.switched_off == (
        "weight_decay=0.01", "label_smoothing=0.1", "augment", "3: Dropout(0.3)"
    )  # fmt: skip
    assert trained(Regularised(), run_spec(params, iterations=3)).outcomes[0].switched_off == ()


def test_an_error_in_the_task_fails_its_member_alone() -> None:
    run = run_spec({"fails": False}, {"fails": True}, {"fails": False}, iterations=5)
    outcomes = trained(Raises(), run).outcomes

    assert [outcomes[k].state for k in range(3)] == [
        TrialState.COMPLETE, TrialState.FAILED, TrialState.COMPLETE
    ]  # fmt: skip
    assert outcomes[1].cause is TrialCause.ERROR
    message = outcomes[1].message
    assert message is not None
    assert message.startswith("KeyError: 'no such thing' (")
    line = int(message.split("training_tasks.py:")[1].split(" in forward")[0])
    source = (Path(__file__).parent / "training_tasks.py").read_text().splitlines()
    assert "raise KeyError" in source[line - 1]


def test_memory_running_out_has_its_own_cause() -> None:
    class Huge(Blobs):
        def model(self, params):  # type: ignore[no-untyped-def]
            return nn.Linear(8, 2**50)

    outcome = trained(Huge(), run_spec(iterations=1)).outcomes[0]
    assert (outcome.state, outcome.cause) == (TrialState.FAILED, TrialCause.OUT_OF_MEMORY)


def test_a_lost_gpu_is_nobodys_result() -> None:
    class Loses(Blobs):
        def model(self, params):  # type: ignore[no-untyped-def]
            raise RuntimeError("CUDA error: device-side assert triggered")

    for train_all in (train, partial(train_together, admission=Admission())):
        report, run = CollectingReporter(), run_spec({}, {}, iterations=1, fuse=2)
        with pytest.raises(RuntimeError, match="device-side assert"):
            train_all(Loses(), load_data(Loses(), CPU), run, report)
        assert not report.outcomes


def test_a_wrong_setting_fails_with_field_value_and_cure() -> None:
    outcome = trained(Blobs(), run_spec({"optimizer": "sdg"}, iterations=1)).outcomes[0]

    assert outcome.state is TrialState.FAILED
    assert "optimizer: 'sdg' does not fit; choose one of sgd, adagrad" in (outcome.message or "")


def test_a_dropped_member_is_pruned_and_the_next_one_runs() -> None:
    report = CollectingReporter(drop=frozenset({0}))
    trained(Blobs(), run_spec({}, {}, iterations=5), report)

    assert (report.outcomes[0].state, report.outcomes[0].cause) == (
        TrialState.PRUNED, TrialCause.EARLY_DISCARD
    )  # fmt: skip
    assert report.outcomes[1].cause is TrialCause.FINISHED


def test_a_stopped_run_leaves_its_members_without_outcome_but_sends_its_points() -> None:
    calls = iter(range(1_000_000))
    report = CollectingReporter(stop_when=lambda: next(calls) >= 25)
    trained(Blobs(), run_spec({}, {}, iterations=500, evaluate=()), report)

    assert report.outcomes == {}
    assert report.curve("loss").iterations == tuple(range(25))


def test_points_are_sent_before_a_checkpoint_and_an_outcome() -> None:
    sent: list[tuple[str, int]] = []

    class Ordered(CollectingReporter):
        def points(self, block):  # type: ignore[no-untyped-def]
            if block.metric == "loss" and block.split == "train":
                sent.append(("points", block.iterations[-1] + 1))

        def checkpoint(self, trial, epoch, iteration, content):  # type: ignore[no-untyped-def]
            sent.append(("checkpoint", iteration))

        def outcome(self, outcome):  # type: ignore[no-untyped-def]
            sent.append(("outcome", outcome.iterations))

    trained(Blobs(), run_spec({"batch_size": 64}, epochs=2), Ordered(), checkpoint_seconds=0)
    assert sent == [("points", 4), ("checkpoint", 4), ("points", 8), ("outcome", 8)]


def test_points_come_in_batches() -> None:
    report = trained(Blobs(), run_spec(iterations=2_000, evaluate=()))
    sent = [block for block in report.blocks if block.metric == "loss"]

    assert sum(len(block.values) for block in sent) == 2_000
    assert len(sent) <= 20


def test_a_checkpoint_of_another_model_is_refused() -> None:
    run = run_spec(epochs=2)
    checkpoint = trained(Blobs(), run, checkpoint_seconds=0).checkpoints[0][0]
    outcome = trained(Regularised(), run, resume={0: checkpoint}).outcomes[0]

    assert outcome.state is TrialState.FAILED
    assert "the checkpoint does not fit the model" in (outcome.message or "")


def test_the_outcome_survives_the_wire() -> None:
    run = run_spec({"lr": 1e9}, iterations=20, stop_if_non_finite=False, internals_every=1)
    outcome = trained(Blobs(), run).outcomes[0]
    text = outcome.model_dump_json()

    assert '"NaN"' in text
    assert type(outcome).model_validate_json(text).model_dump_json() == text


def test_an_unknown_split_is_named() -> None:
    outcome = trained(Blobs(), run_spec(iterations=1, evaluate=("valid",))).outcomes[0]
    assert "'valid' does not fit; the task has train, val, test" in (outcome.message or "")


def test_data_of_one_load_serve_many_runs() -> None:
    data, report = load_data(Blobs(), CPU), CollectingReporter()
    run: RunSpec = run_spec(iterations=2)
    before = data["train"].batch(torch.arange(5))[0].clone()
    train(Blobs(), data, run, report)
    assert torch.equal(before, data["train"].batch(torch.arange(5))[0])


def test_augment_gets_the_setting_where_it_asks_for_it() -> None:
    seen: list[object] = []

    class Asks(Blobs):
        def augment(self, batch, generator, params):  # type: ignore[no-untyped-def]
            seen.append(params["noise"])
            return batch

    trained(Asks(), run_spec({"noise": 0.5}, iterations=2))
    assert seen == [0.5, 0.5]


def test_a_tensor_that_the_first_forward_keeps_does_for_training() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)
            self.scale: Tensor | None = None

        def forward(self, inputs: Tensor) -> Tensor:
            if self.scale is None:
                self.scale = torch.full((4,), 0.5)
            return self.layer(inputs) * self.scale

    class Kept(Blobs):
        def model(self, params: object) -> nn.Module:
            return Keeps()

    outcome = trained(Kept(), run_spec(epochs=1)).outcomes[0]
    assert (outcome.message, outcome.cause) == (None, TrialCause.FINISHED)


def test_params_of_the_trainer_reach_it() -> None:
    def last_loss(**params: object) -> float:
        return trained(Blobs(), run_spec(params, iterations=8)).curve("loss").values[-1]

    changes: list[dict[str, object]] = [
        {}, {"nesterov": True}, {"momentum": 0.5}, {"weight_decay": 0.1}, {"grad_clip": 0.1},
        {"batch_size": 16}, {"label_smoothing": 0.2}, {"init": "small_normal"},
        {"schedule": "linear"}, {"warmup": 4}, {"optimizer": "adam", "lr": 0.01},
        {"optimizer": "adam", "lr": 0.01, "beta1": 0.5},
        {"optimizer": "adam", "lr": 0.01, "beta2": 0.9},
    ]  # fmt: skip
    assert len({last_loss(**params) for params in changes}) == len(changes)
