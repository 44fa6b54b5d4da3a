"""Members trained together give what they give alone: curves, outcomes, artifacts, ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from itertools import compress
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from recipes.curve import CurveKey, join
from recipes.outcome import Evaluation, MemberOutcome
from recipes.run import MemberSpec, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause, TrialState
from tests.worker_tests.training_tasks import (
    CPU,
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Positions,
    Regression,
    Regularised,
)
from worker.data.data import load_data
from worker.fused.admission import Admission
from worker.fused.train import train_together
from worker.training.checkpoint import read_progress
from worker.training.collecting import CollectingReporter
from worker.training.loop import train
from worker.training.optimizers import OPTIMIZERS

BAND = 1e-4
"""Of float32: what two orders of summing up make of a few dozen iterations."""
RATES = (0.1, 0.05, 0.02, 0.01, 0.005)
EVERYTHING: dict[str, Any] = {
    "evaluate": ("val", "train"),
    "evaluate_samples": 100,
    "internals_every": 3,
    "keep_snapshot": True,
    "evaluate_at_best": ("val", "test"),
    "probes": ("initialisation",),
}


def members_of(
    params: Mapping[str, Any], *, rates: tuple[float, ...] = RATES, **own: Any
) -> tuple[MemberSpec, ...]:
    """Members that differ in the rate; ``own`` makes a field out of a member's number."""
    return tuple(
        MemberSpec(
            trial=trial,
            params={"batch_size": 32, **params, "lr": lr},
            **{
                "seed": 11,
                "data_seed": 5,
                **{name: make(trial) for name, make in own.items()},
            },
        )
        for trial, lr in enumerate(rates)
    )


def run_of(members: tuple[MemberSpec, ...], **settings: Any) -> RunSpec:
    return RunSpec(members=members, **settings)


def alone(task: Task, run: RunSpec, **arguments: Any) -> CollectingReporter:
    report = CollectingReporter()
    train(task, load_data(task, CPU), run, report, **arguments)
    return report


def together(
    task: Task, run: RunSpec, report: CollectingReporter | None = None, **arguments: Any
) -> CollectingReporter:
    report = report or CollectingReporter()
    train_together(
        task,
        load_data(task, CPU),
        run.model_copy(update={"fuse": 16}),
        report,
        admission=Admission(),
        **arguments,
    )
    return report


def check_same(found: CollectingReporter, wanted: CollectingReporter) -> None:
    """All that both have measured, up to rounding."""
    assert found.outcomes.keys() == wanted.outcomes.keys()
    for trial, outcome in wanted.outcomes.items():
        check_same_outcome(found.outcomes[trial], outcome)
        got, want = points(found, trial), points(wanted, trial)
        assert got.keys() == want.keys()
        for key, curve in want.items():
            assert got[key].iterations == curve.iterations, key
            assert got[key].values == pytest.approx(curve.values, rel=1e-2, abs=1e-3, nan_ok=True)


def check_same_outcome(found: MemberOutcome, wanted: MemberOutcome) -> None:
    assert (found.message, found.state, found.cause) == (None, wanted.state, wanted.cause)
    assert found.iterations == wanted.iterations
    assert found.sample_digest == wanted.sample_digest
    assert found.switched_off == wanted.switched_off
    assert found.snapshot_epoch == wanted.snapshot_epoch
    assert found.initialisation == wanted.initialisation
    assert (found.mode_losses is None) == (wanted.mode_losses is None)
    for got, want in zip(
        (*found.evaluations, *found.at_best), (*wanted.evaluations, *wanted.at_best), strict=True
    ):
        check_same_evaluation(got, want)


def check_same_evaluation(found: Evaluation, wanted: Evaluation) -> None:
    assert (found.split, found.iteration) == (wanted.split, wanted.iteration)
    assert found.metrics.keys() == wanted.metrics.keys()
    for name, moments in wanted.metrics.items():
        assert found.metrics[name].n == moments.n
        assert found.metrics[name].mean == pytest.approx(moments.mean, rel=BAND, abs=BAND)
        assert found.metrics[name].standard_error == pytest.approx(
            moments.standard_error, rel=1e-2, abs=BAND, nan_ok=True
        )
    assert (found.correct is None) == (wanted.correct is None)


def points(report: CollectingReporter, trial: int) -> dict[CurveKey, Any]:
    return join(block for block in report.blocks if block.trial == trial)


def engines(report: CollectingReporter) -> set[str]:
    return {outcome.engine for outcome in report.outcomes.values()}


@pytest.mark.parametrize(
    "task",
    [Blobs(), OwnLoss(), Binary(), Multilabel(), Regression(), Positions(), Regularised()],
    ids=lambda task: type(task).__name__,
)
def test_every_kind_measures_the_same(task: Task) -> None:
    run = run_of(members_of({"momentum": 0.9}), epochs=2, **EVERYTHING)
    found = together(task, run)

    assert engines(found) == {"fused"}
    check_same(found, alone(task, run))


@pytest.mark.parametrize(
    "own",
    [
        {"seed": lambda trial: trial},
        {"seed": lambda trial: trial, "data_seed": lambda trial: trial},
    ],
    ids=["own weights", "own weights and order"],
)
def test_members_with_seeds_of_their_own(own: dict[str, Any]) -> None:
    """Repeats: the dropout masks and augmentation of each are those it draws alone."""
    run = run_of(members_of({}, rates=(0.05,) * 4, **own), epochs=2, **EVERYTHING)
    found = together(Regularised(), run)

    assert engines(found) == {"fused"}
    check_same(found, alone(Regularised(), run))
    ends = [found.outcomes[trial].evaluation("val").loss.mean for trial in range(4)]
    assert len(set(ends)) == 4


def test_every_rate_of_its_own() -> None:
    """Schedules, warm-up, clipping, smoothing, decay and betas may all differ."""
    own = (
        {"schedule": "cosine", "weight_decay": 1e-2},
        {"warmup": 4, "grad_clip": 0.5},
        {"label_smoothing": 0.2, "beta1": 0.5},
        {"schedule": "step", "beta2": 0.9},
    )
    members = tuple(
        each.model_copy(update={"params": {**each.params, **own[each.trial]}})
        for each in members_of({"optimizer": "adamw"}, rates=(0.02, 0.01, 0.01, 0.005))
    )
    run = run_of(members, epochs=3, **EVERYTHING)
    found = together(Blobs(), run)

    assert engines(found) == {"fused"}
    check_same(found, alone(Blobs(), run))


class Rated(Blobs):
    """Its dropout rate is a hyperparameter."""

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 16), nn.Dropout(params["rate"]), nn.Linear(16, 4))


def test_dropout_rates_of_their_own() -> None:
    members = tuple(
        each.model_copy(update={"params": {**each.params, "rate": rate}})
        for each, rate in zip(members_of({}), (0.0, 0.1, 0.3, 0.5, 0.9), strict=True)
    )
    run = run_of(members, epochs=2, evaluate=("val",))
    found = together(Rated(), run)

    assert engines(found) == {"fused"}
    check_same(found, alone(Rated(), run))


def test_members_that_diverge_end_and_the_others_do_not_notice() -> None:
    rates = (1e4, 0.05, 1e25, 0.02)
    settings: dict[str, Any] = {**EVERYTHING, "stop_if_loss_above": 20.0, "epochs": 3}
    run = run_of(members_of({"momentum": 0.0}, rates=rates), **settings)
    found = together(Blobs(), run)

    ends = [found.outcomes[trial].cause for trial in range(4)]
    finished = TrialCause.FINISHED
    assert ends[1] == ends[3] == finished
    assert ends[0] in (TrialCause.DIVERGED, TrialCause.NON_FINITE)
    assert ends[2] in (TrialCause.DIVERGED, TrialCause.NON_FINITE)
    wanted = alone(Blobs(), run)
    for trial in (1, 3):
        check_same_outcome(found.outcomes[trial], wanted.outcomes[trial])
    for trial in (0, 2):
        assert found.outcomes[trial].cause == wanted.outcomes[trial].cause
        assert found.outcomes[trial].iterations == wanted.outcomes[trial].iterations


def test_the_last_one_left_goes_on() -> None:
    rates = (1e25, 0.05, 1e25)
    run = run_of(members_of({"momentum": 0.0}, rates=rates), epochs=4, **EVERYTHING)
    found = together(Blobs(), run)

    assert found.outcomes[0].cause is TrialCause.NON_FINITE
    check_same_outcome(found.outcomes[1], alone(Blobs(), run).outcomes[1])


def test_all_may_diverge() -> None:
    run = run_of(members_of({"momentum": 0.0}, rates=(1e25,) * 3), epochs=2, evaluate=("val",))
    found = together(Blobs(), run)
    assert {each.cause for each in found.outcomes.values()} == {TrialCause.NON_FINITE}


@pytest.mark.parametrize(
    "settings", [{"epochs": 4}, {"iterations": 30}], ids=["epochs", "iterations"]
)
def test_members_go_on_from_their_checkpoints(settings: dict[str, int]) -> None:
    run = run_of(members_of({"optimizer": "adam"}), **{**EVERYTHING, **settings})
    whole = together(Regularised(), run, checkpoint_seconds=0)
    resume = {trial: found[1] for trial, found in whole.checkpoints.items()}
    resumed = together(Regularised(), run, resume=resume, checkpoint_seconds=0)

    assert engines(resumed) == {"fused"}
    for trial, outcome in whole.outcomes.items():
        assert timeless(resumed.outcomes[trial]) == timeless(outcome), "same rows, same bits"
        for metric in ("loss", "accuracy", "gradient_norm"):
            curve = whole.curve(metric, trial=trial)
            rest = resumed.curve(metric, trial=trial)
            later = [at >= resume[trial].iteration for at in curve.iterations]
            assert any(later)
            assert rest.values == tuple(compress(curve.values, later))


def test_a_checkpoint_made_together_goes_on_alone_and_the_other_way_round() -> None:
    run = run_of(members_of({"momentum": 0.9}), epochs=4, **EVERYTHING)
    wanted = alone(Regularised(), run, checkpoint_seconds=0)
    made_together = together(Regularised(), run, checkpoint_seconds=0)
    for report in (made_together, wanted):
        resume = {trial: found[0] for trial, found in report.checkpoints.items()}
        check_same_ends(alone(Regularised(), run, resume=resume), wanted)
        check_same_ends(together(Regularised(), run, resume=resume), wanted)


def check_same_ends(found: CollectingReporter, wanted: CollectingReporter) -> None:
    for trial, outcome in wanted.outcomes.items():
        check_same_outcome(found.outcomes[trial], outcome)


def timeless(outcome: MemberOutcome) -> MemberOutcome:
    return outcome.model_copy(update={"seconds": 0.0})


def test_members_wait_at_a_rung() -> None:
    run = run_of(members_of({}), epochs=4, until_epoch=2, **EVERYTHING)
    report = together(Blobs(), run)

    assert {each.state for each in report.outcomes.values()} == {TrialState.WAITING}
    assert all(found[-1].epoch == 2 for found in report.checkpoints.values())
    kept = [0, 2, 3]
    rest = run.model_copy(
        update={"members": tuple(run.members[trial] for trial in kept), "until_epoch": None}
    )
    resume = {trial: report.checkpoints[trial][-1] for trial in kept}
    report.outcomes.clear()
    together(Blobs(), rest, report, resume=resume)
    wanted = alone(Blobs(), run.model_copy(update={"until_epoch": None}))
    for trial in kept:
        check_same_outcome(report.outcomes[trial], wanted.outcomes[trial])


def test_a_checkpoint_and_a_snapshot_hold_the_members_own_tensors() -> None:
    run = run_of(members_of({"momentum": 0.9}), epochs=2, **EVERYTHING)
    found = together(Regularised(), run, checkpoint_seconds=0)
    wanted = alone(Regularised(), run, checkpoint_seconds=0)
    for trial in found.outcomes:
        check_same_tensors(found.snapshots[trial], wanted.snapshots[trial])
        for got, want in zip(found.checkpoints[trial], wanted.checkpoints[trial], strict=True):
            check_same_tensors(got.content, want.content)
            assert read_progress(got.content).epoch == read_progress(want.content).epoch


def check_same_tensors(found: bytes, wanted: bytes) -> None:
    got, want = load(found), load(wanted)
    assert got.keys() == want.keys()
    for name, tensor in want.items():
        assert got[name].dtype == tensor.dtype
        assert torch.allclose(got[name].double(), tensor.double(), rtol=1e-3, atol=1e-4), name


def test_a_member_may_be_dropped() -> None:
    run = run_of(members_of({}), epochs=2, evaluate=("val",))
    report = together(Blobs(), run, CollectingReporter(drop=frozenset({1, 3})))

    assert report.outcomes[1].cause is report.outcomes[3].cause is TrialCause.EARLY_DISCARD
    assert report.outcomes[0].cause is TrialCause.FINISHED


def test_told_to_stop_it_leaves_no_outcome_and_keeps_the_points() -> None:
    seen = 0

    def stop() -> bool:
        nonlocal seen
        seen += 1
        return seen > 12

    run = run_of(members_of({}), epochs=4, evaluate=("val",))
    report = together(Blobs(), run, CollectingReporter(stop_when=stop))
    assert report.outcomes == {}
    assert all(len(report.curve("loss", trial=trial).values) == 12 for trial in range(5))


def test_iterations_end_in_one_evaluation() -> None:
    """The learning rate finder's runs."""
    run = run_of(members_of({}), iterations=20, evaluate=("val",), internals_every=10)
    check_same(together(Blobs(), run), alone(Blobs(), run))


def test_a_run_of_one_iteration_has_no_second_epoch() -> None:
    rates = (*RATES, 0.3, 0.2, 0.15)  # so many that their memory is looked at first
    run = run_of(members_of({}, rates=rates), iterations=1)
    assert len(together(Blobs(), run).outcomes) == len(rates)


def test_those_who_have_learned_their_sample_end() -> None:
    """Step 2's runs."""
    settings: dict[str, Any] = {
        "iterations": 300,
        "sample": {"num_samples": 20, "seed": 0},
        "regularisation": False,
        "stop_if_loss_below": 0.05,
        "evaluate": ("train",),
    }
    run = run_of(members_of({"momentum": 0.9}, rates=(0.1, 0.05, 1e-4)), **settings)
    found, wanted = together(Regularised(), run), alone(Regularised(), run)
    assert engines(found) == {"fused"}
    for trial in range(3):
        check_same_outcome(found.outcomes[trial], wanted.outcomes[trial])
    assert found.outcomes[0].iterations < 300
    assert found.outcomes[2].iterations == 300


class Recurrent(Blobs):
    def model(self, params: Any) -> nn.Module:
        return Reads()


class Reads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 4, batch_first=True)
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.view(len(x), 4, 2))[0][:, -1])


def test_what_cannot_train_together_trains_alone_and_says_why() -> None:
    run = run_of(members_of({}), epochs=1, evaluate=("val",))
    found = together(Recurrent(), run)

    assert engines(found) == {"plain"}
    assert {each.engine_reason for each in found.outcomes.values()} == {
        "LSTM has no batching rule in torch"
    }
    assert found.outcomes[0].num_together == 1
    wanted = alone(Recurrent(), run)
    for trial, outcome in wanted.outcomes.items():
        same = {"seconds": 0.0, "engine_reason": None}
        assert found.outcomes[trial].model_copy(update=same) == outcome.model_copy(update=same)


def test_models_of_two_sizes_train_in_two_groups() -> None:
    class Sized(Blobs):
        def model(self, params: Any) -> nn.Module:
            width = params["width"]
            return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4))

    members = tuple(
        each.model_copy(update={"params": {**each.params, "width": width}})
        for each, width in zip(members_of({}), (8, 16, 8, 16, 24), strict=True)
    )
    run = run_of(members, epochs=2, evaluate=("val",))
    found = together(Sized(), run)

    assert [found.outcomes[trial].num_together for trial in range(5)] == [2, 2, 2, 2, 1]
    assert engines(found) == {"fused"}
    check_same(found, alone(Sized(), run))


@pytest.mark.parametrize(
    ("task", "optimizer"),
    [
        *((task, "sgd") for task in (Blobs(), Regularised(), Regression())),
        *((Blobs(), name) for name in OPTIMIZERS if name != "sgd"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_who_trains_beside_it_changes_no_bit_of_a_member(task: Task, optimizer: str) -> None:
    """One slot or four, before a kill or after it: the same numbers."""
    params = {"optimizer": optimizer, "momentum": 0.9}
    run = run_of(members_of(params, rates=RATES + RATES[:4]), epochs=2, **EVERYTHING)
    whole = together(task, run)
    for kept in (range(9), [3], [0, 8], range(1, 6)):
        members = tuple(run.members[trial] for trial in kept)
        part = together(task, run.model_copy(update={"members": members}))
        for trial in kept:
            same = {"seconds": 0.0, "num_together": 1}
            assert part.outcomes[trial].model_copy(update=same) == whole.outcomes[
                trial
            ].model_copy(update=same)
            assert points(part, trial) == points(whole, trial)


class Odd(Blobs):
    """Widths, channels and a last batch that are no multiples of four: 203 = 6 * 32 + 11."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        self._make = make

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        num = {"train": 203, "val": 64, "test": 64}[split]
        generator = torch.Generator().manual_seed(num)
        inputs = torch.randn(num, 1, 9, 9, generator=generator)
        return inputs, inputs.flatten(1)[:, :4].argmax(1)

    def model(self, params: Any) -> nn.Module:
        return self._make()


def odd_mlp() -> nn.Module:
    layers = (nn.Linear(81, 37), nn.GELU(), nn.Linear(37, 10), nn.ReLU(), nn.Linear(10, 4))
    return nn.Sequential(nn.Flatten(), *layers)


def odd_output() -> nn.Module:
    """The first layer's inputs are a multiple of four, its outputs are not."""
    return nn.Sequential(
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 10), nn.ReLU(), nn.Linear(10, 4)
    )


def odd_mapped() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(81, 7), nn.PReLU(), nn.Linear(7, 5))


def odd_convnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 3), nn.GELU()),
        *(nn.Flatten(), nn.Linear(125, 4)),
    )


def odd_dropped() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(81, 16), nn.Linear(16, 4))


@pytest.mark.parametrize("make", [odd_mlp, odd_output, odd_mapped, odd_convnet, odd_dropped])
@pytest.mark.parametrize("shares_order", [True, False], ids=["one order", "own orders"])
def test_nor_do_odd_widths_and_orders(make: Callable[[], nn.Module], shares_order: bool) -> None:
    own = {} if shares_order else {"seed": lambda trial: trial, "data_seed": lambda trial: trial}
    members = members_of({}, rates=RATES + RATES[:4], **own)
    check_no_bit_changes(Odd(make), members, shares_order=shares_order)


@pytest.mark.parametrize("values", [(0.0, 0.1, 0.2, 0.1, 0.0), (0.1, 0.1, 0.2, 0.0, 0.0)])
@pytest.mark.parametrize("name", ["label_smoothing", "rate"])
def test_nor_do_the_others_smoothing_and_rates(name: str, values: tuple[float, ...]) -> None:
    members = tuple(
        each.model_copy(update={"params": {**each.params, name: value}})
        for each, value in zip(members_of({"rate": 0.3}), values, strict=True)
    )
    for task in (EntersDropped(nn.ReLU), EntersDropped(nn.PReLU)):
        check_no_bit_changes(task, members, shares_order=True)


class EntersDropped(Blobs):
    """Dropout on the inputs, whose rate is a hyperparameter."""

    def __init__(self, activation: type[nn.Module]) -> None:
        self._activation = activation

    def model(self, params: Any) -> nn.Module:
        layers = (nn.Linear(8, 16), self._activation(), nn.Linear(16, 4))
        return nn.Sequential(nn.Dropout(params["rate"]), *layers)


def check_no_bit_changes(
    task: Task, members: tuple[MemberSpec, ...], *, shares_order: bool
) -> None:
    """All, a few in another order, one that is left, and one that goes on after a kill."""
    run = run_of(members, epochs=2, evaluate=("val",), shares_order=shares_order)
    whole = together(task, run, checkpoint_seconds=0)
    assert engines(whole) == {"fused"}
    for kept in ([3], [0, 4, 2, 1]):
        left = run.model_copy(update={"members": tuple(members[trial] for trial in kept)})
        resume = {trial: whole.checkpoints[trial][0] for trial in kept}
        for part in (together(task, left), together(task, left, resume=resume)):
            for trial in kept:
                same = {"seconds": 0.0, "num_together": 1}
                assert part.outcomes[trial].model_copy(update=same) == whole.outcomes[
                    trial
                ].model_copy(update=same)


class Transposed(nn.Module):
    """Dropout on numbers that lie in another order than they are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(4, 6, 1)
        self.units = nn.Dropout(0.3)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x.view(-1, 4, 2)).transpose(1, 2)
        return self.head(self.units(x).flatten(1))


class KeepsItsNorm(nn.Module):
    """Whose train() leaves the norm, and a dropout, in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.units = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)

    def train(self, mode: bool = True) -> KeepsItsNorm:
        super().train(mode)
        self.norm.eval()
        self.units.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.units(self.norm(self.enter(x))))


class OfTwoTypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8, dtype=torch.float64))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x * self.scale).to(self.head.weight.dtype))


@pytest.mark.parametrize("model", [Transposed, KeepsItsNorm, OfTwoTypes])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_models_out_of_the_ordinary(model: type[nn.Module], optimizer: str) -> None:
    class Its(Blobs):
        def model(self, params: Any) -> nn.Module:
            return model()

    smoothings = (0.0, 0.1, 0.2, 0.0, 0.1)
    members = tuple(
        each.model_copy(update={"params": {**each.params, "label_smoothing": smoothing}})
        for each, smoothing in zip(members_of({"optimizer": optimizer}), smoothings, strict=True)
    )
    run = run_of(members, epochs=2, evaluate=("val",))
    found = together(Its(), run)

    assert engines(found) == {"fused"}
    check_same(found, alone(Its(), run))


def test_an_error_that_might_be_anybodys_is_raised() -> None:
    class Breaks(Blobs):
        calls = 0

        def metrics(self, output: Tensor, target: Tensor) -> dict[str, float]:
            raise RuntimeError("these metrics do not work")

    run = run_of(members_of({}), epochs=1, evaluate=("val",))
    with pytest.raises(RuntimeError, match="these metrics do not work"):
        together(Breaks(), run)


def test_the_seconds_of_all_add_up_to_the_time_it_took() -> None:
    run = run_of(members_of({}), epochs=60, evaluate=("val",))
    together(Blobs(), run.model_copy(update={"epochs": 1}))  # loads what torch loads
    started = time.monotonic()
    found = together(Blobs(), run)
    took = time.monotonic() - started
    total = sum(each.seconds for each in found.outcomes.values())
    assert 0.5 * took < total <= took
    assert math.isclose(found.outcomes[0].seconds, found.outcomes[1].seconds, rel_tol=0.5)
