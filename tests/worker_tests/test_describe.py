"""The static checks: what they measure, on healthy tasks and on ones with one fault."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Categorical, Float, Int, Task
from recipes.description import TaskDescription
from recipes.run import TaskRef
from tests.broken_tasks import ARCHITECTURES, FAULTS, HEALTHY, make, reference
from worker.data.data import load_data
from worker.describe.checks.inputs import describe_inputs, mean_and_sd
from worker.describe.checks.overlap import describe_overlap
from worker.describe.checks.targets import describe_targets
from worker.describe.describe import describe
from worker.describe.errors import TaskError
from worker.describe.loader import load_task

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def described(task: Task) -> TaskDescription:
    return describe(task, load_data(task, CPU), device=CPU)


class Small(Task):
    """Three classes of points, with a model given from outside."""

    num_classes = 3
    targets = torch.arange(40) % 3

    def __init__(self, build: Any = lambda: nn.Linear(4, 3), **attributes: Any) -> None:
        self.build = build
        for name, value in attributes.items():
            setattr(self, name, value)

    def data(self, split):
        torch.manual_seed(1)
        return (torch.randn(40, 4), self.targets) if split == "train" else None

    def model(self, params):
        return self.build()


class Layer(nn.Module):
    """A linear layer, then any function of its outputs."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.fc(x))


# -- healthy tasks --


@pytest.mark.parametrize("name", [*HEALTHY])
def test_a_healthy_task_shows_no_fault(name: str) -> None:
    found = described(make(None, name))

    assert found.loss_error is None
    assert all(each.trainable and each.reached for each in found.parameters)
    assert found.outputs is not None
    assert not found.outputs.rows_sum_to_one
    assert not found.outputs.mixes_batch
    assert not found.outputs.train_passes_differ
    assert found.outputs.loss_ratio_when_doubled == pytest.approx(1, abs=1e-4)
    assert found.inputs.num_non_finite == found.targets.num_out_of_range == 0
    assert found.overlap.train_val == found.overlap.conflicting == 0
    assert found.has_batch_norm is (name == "resnet")


@pytest.mark.parametrize("name", [*HEALTHY])
def test_a_healthy_tasks_splits_are_on_one_scale(name: str) -> None:
    train, *others = described(make(None, name)).splits

    assert others
    assert train.input_mean is not None
    assert train.input_sd is not None
    for split in others:
        assert split.input_mean == pytest.approx(train.input_mean, abs=0.1 * train.input_sd)
        assert split.input_sd == pytest.approx(train.input_sd, rel=0.1)


def test_mean_and_sd_are_of_finite_floats_alone() -> None:
    floats = torch.tensor([[1.0, 3.0], [float("nan"), float("inf")]])

    assert mean_and_sd(floats) == (2.0, 1.0)
    assert mean_and_sd(floats[1:]) is None
    assert mean_and_sd(torch.tensor([[1, 2]])) is None


def test_digits_described() -> None:
    task = load_task(TaskRef(path="digits"))
    found = described(task)

    assert (found.name, found.kind, found.num_classes) == ("DigitsMLP", "classification", 10)
    assert (found.metric, found.direction) == ("accuracy", "maximize")
    assert [split.num_samples for split in found.splits] == [1077, 360, 360]
    assert found.inputs.shape == (1, 8, 8)
    assert found.inputs.sd == pytest.approx(1, abs=1e-4)
    assert sum(found.targets.class_counts) == 1077
    assert found.targets.entropy == pytest.approx(math.log(10), abs=0.001)
    assert (found.default_batch_size, found.default_optimizer) == (64, "sgd")
    assert found.outputs is not None
    assert found.outputs.loss_is_cross_entropy
    assert found.outputs.shape == (10,)
    assert found.has_space
    assert TaskDescription.model_validate_json(found.model_dump_json()) == found


def test_a_description_is_repeatable_and_quick() -> None:
    task = make(None, "resnet")
    first = described(task)
    begun = time.perf_counter()
    second = described(task)

    assert first == second
    assert time.perf_counter() - begun < 1.0


def test_kinds_have_their_own_objectives() -> None:
    assert described(make(None, "regression")).metric == "r2"
    binary = described(make(None, "binary"))
    assert binary.metric == "accuracy"
    assert binary.targets.entropy == pytest.approx(math.log(2), abs=0.001)


def test_a_batch_size_of_the_space_is_the_default_one() -> None:
    def default(size: int) -> int:
        return described(Small(space={"batch_size": Int(8, 512, default=size)})).default_batch_size

    assert default(16) == 16
    assert default(512) == 32  # all there are


def test_an_optimizer_of_the_space_is_the_default_one() -> None:
    found = described(Small(space={"optimizer": Categorical(["adamw", "sgd"])}))

    assert found.default_optimizer == "adamw"


# -- the zoo --


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
@pytest.mark.parametrize("fault", [*FAULTS])
def test_a_fault_shows_in_its_measurement_alone(fault: str, architecture: str) -> None:
    found = described(make(fault, architecture))
    outputs = found.outputs
    assert outputs is not None
    frozen = [each for each in found.parameters if not each.trainable]
    unreached = [each for each in found.parameters if not each.reached]
    shows = {
        "loss_summed": outputs.loss_ratio_when_doubled == pytest.approx(2, abs=1e-3),
        "softmax_twice": outputs.rows_sum_to_one and outputs.loss_is_cross_entropy,
        "labels_out_of_range": found.targets.num_out_of_range > 0,
        "frozen_layer": bool(frozen),
        "raw_inputs": found.inputs.sd > 10,
        "nan_sample": found.inputs.num_non_finite == 1,
    }

    assert {name for name, is_there in shows.items() if is_there} == {fault} & set(shows)
    assert bool(unreached) is (
        fault in ("frozen_layer", "detached_layer", "dead_relus", "input_ignored")
    )


def test_a_broken_task_loads_by_file() -> None:
    task = load_task(TaskRef(path=reference("nan_sample", "convnet")))
    found = described(task)

    assert found.name == "nan_sample_convnet"
    assert found.inputs.first_non_finite == 17


def test_labels_out_of_range_are_counted_and_kept_from_the_loss() -> None:
    task = make("labels_out_of_range", "mlp")
    found = described(task)
    tens = int((load_data(task, CPU)["train"].samples.look()[1] == 10).sum())

    assert found.targets.num_out_of_range == tens
    assert found.loss_error is not None
    assert f"{tens} of 1077" in found.loss_error
    assert found.split("val").num_out_of_range > 0


def test_a_task_without_one_usable_sample_is_still_described() -> None:
    found = described(Small(targets=torch.full((40,), 9)))

    assert found.outputs is None
    assert found.loss_error is not None
    assert found.targets.num_out_of_range == 32


# -- outputs --


@pytest.mark.parametrize(
    ("function", "mixes"),
    [
        (lambda y: y, False),
        (lambda y: y - y.mean(0), True),
        (lambda y: y.flatten().view(3, -1).T.contiguous(), True),
        (lambda y: torch.softmax(y, 0), True),
        (lambda y: torch.softmax(y, 1), False),
        (lambda y: F.dropout(y, 0.5), False),
    ],
    ids=["none", "mean", "view", "softmax over batch", "softmax", "dropout"],
)
def test_batch_mixing_of_float_inputs(function: Any, mixes: bool) -> None:
    outputs = described(Small(lambda: Layer(function))).outputs

    assert outputs is not None
    assert outputs.mixes_batch is mixes


@pytest.mark.parametrize("mixes", [False, True])
def test_batch_mixing_of_token_inputs(mixes: bool) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 8)
            self.fc = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            states = self.embedding(x).mean(1)
            return self.fc(states - states.mean(0) if mixes else states)

    class Tokens(Small):
        def data(self, split):
            generator = torch.Generator().manual_seed(1)
            tokens = torch.randint(0, 20, (40, 6), generator=generator)
            return (tokens, self.targets) if split == "train" else None

    found = described(Tokens(Words))

    assert found.outputs is not None
    assert found.outputs.mixes_batch is mixes
    assert all(each.reached for each in found.parameters)  # thirty words do not occur
    assert found.inputs.dtype == "int64"


def test_attention_along_the_batch_is_mixing() -> None:
    class Reader(nn.Module):
        def __init__(self, batch_first: bool) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 1, batch_first=batch_first)
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x.unsqueeze(1)
            return self.fc(self.attention(x, x, x, need_weights=False)[0][:, 0])

    for batch_first in (True, False):
        outputs = described(Small(lambda first=batch_first: Reader(first))).outputs
        assert outputs is not None
        assert outputs.mixes_batch is not batch_first


def test_a_forward_that_writes_into_its_input_shows_no_fault() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x /= 2
            return self.fc(x)

    outputs = described(Small(Halves)).outputs

    assert outputs is not None
    assert not outputs.mixes_batch
    assert not outputs.train_passes_differ
    assert outputs.mode_difference == 0


def test_known_dropout_is_switched_off_and_hidden_dropout_is_told() -> None:
    known = described(Small(lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))))
    hidden = described(Small(lambda: Layer(lambda y: F.dropout(y, 0.5))))

    assert known.outputs is not None
    assert not known.outputs.train_passes_differ
    assert any("Dropout(0.5)" in name for name in known.regularisation.switched_off)
    assert known.regularisation.left_on == ()
    assert hidden.outputs is not None
    assert hidden.outputs.train_passes_differ
    assert len(hidden.regularisation.left_on) == 1


def test_augmentation_counts_as_regularisation() -> None:
    task = Small(augment=lambda batch, generator: batch)

    assert "augment" in described(task).regularisation.switched_off


def test_probabilities_into_their_own_loss_are_not_a_double_softmax() -> None:
    task = Small(
        lambda: Layer(lambda y: y.softmax(1)),
        loss=lambda output, target: F.nll_loss(output.log(), target),
    )
    outputs = described(task).outputs

    assert outputs is not None
    assert outputs.rows_sum_to_one
    assert not outputs.loss_is_cross_entropy


# -- parameters --


def test_a_branch_that_begins_at_zero_is_reached() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)
            self.branch = nn.Linear(3, 3)
            self.gain = nn.Parameter(torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            y = self.fc(x)
            return y + self.gain * self.branch(y)

    assert all(each.reached for each in described(Small(Residual)).parameters)


def test_an_unused_parameter_is_not_reached() -> None:
    class Unused(Layer):
        def __init__(self) -> None:
            super().__init__(lambda y: y)
            self.forgotten = nn.Linear(3, 3)

    reached = {each.name: each.reached for each in described(Small(Unused)).parameters}

    assert reached == {
        "fc.weight": True,
        "fc.bias": True,
        "forgotten.weight": False,
        "forgotten.bias": False,
    }


def test_a_loss_without_gradient_reaches_nothing() -> None:
    task = Small(loss=lambda output, target: F.cross_entropy(output.detach(), target))

    assert not any(each.reached for each in described(task).parameters)


def test_few_samples_do_not_upset_batch_norm() -> None:
    class Few(Small):
        def data(self, split):
            num = 2 if split == "train" else 1
            return torch.ones(num, 4), torch.zeros(num, dtype=torch.int64)

    found = described(Few(lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))))

    assert found.has_batch_norm
    assert found.overlap.train_val == 1


# -- tasks that cannot be used --


def raises() -> nn.Module:
    raise RuntimeError("no weights here")


SHARED = nn.Linear(4, 3)


@pytest.mark.parametrize(
    ("task", "message", "cure"),
    [
        (Small(raises), "RuntimeError: no weights here", "params holds"),
        (Small(lambda: nn.Linear), "the class Linear", "Linear(...)"),
        (Small(lambda: 3), "a int", "return the model"),
        (Small(nn.Identity), "no parameters", "ModuleList"),
        (Small(lambda: nn.LazyLinear(3)), "lazy", "sizes"),
        (Small(lambda: SHARED), "same weights twice", "new model"),
        (Small(lambda: nn.Linear(5, 3)), "raised on float32 (32, 4)", "shape and type"),
        (Small(lambda: nn.Linear(4, 2)), "(32, 2)", "3 outputs"),
        (Small(num_classes=2), "(22, 3)", "set num_classes = 3: the labels go up to 2"),
        (Small(lambda: nn.Linear(4, 5)), "(32, 5)", "or set num_classes = 5 if there are"),
        (Small(lambda: Layer(lambda y: (y, y))), "returned a tuple", "the outputs alone"),
        (Small(lambda: Layer(lambda y: y.sum())), "returned float32 ()", "first dimension"),
        (Small(lambda: Layer(lambda y: y.flatten())), "(96,)", "here 32"),
        (Small(targets=torch.zeros(40, 1).long()), "needs (32, 3, 1)", "squeeze(1)"),
        (Small(targets=torch.eye(3)[torch.arange(40) % 3].long()), "(32, 3, 3)", "argmax(1)"),
        (Small(kind="binary", targets=torch.zeros(40)), "(32, 3)", "one shape"),
        (
            Small(lambda: nn.Linear(4, 1), kind="regression", targets=torch.zeros(40)),
            "needs (32,)",
            "output.squeeze(-1)",
        ),
        (Small(objective=("f1", "maximize")), "'f1'", "return it from metrics"),
        (
            Small(
                lambda: nn.Linear(4, 2),
                kind="regression",
                targets=torch.zeros(40, 1),
                loss=lambda output, target: output.square().mean(),
                metrics=lambda output, target: {"size": float(output.abs().mean())},
            ),
            "'r2', and an evaluation gives loss, size",
            "name one of these",
        ),
        (Small(metrics=lambda output, target: {}["x"]), "metrics", "mapping of names"),
        (Small(space={"lr": Float(0.0, 1.0)}), "lr be 0.0", "above 0"),
        (Small(space={"optimizer": Categorical(["adma"])}), "'adma'", "adamw"),
    ],
)
def test_tasks_that_cannot_be_used(task: Task, message: str, cure: str) -> None:
    with pytest.raises(TaskError) as caught:
        described(task)
    problem = caught.value.problem

    assert message in problem.message
    assert cure in problem.cure
    assert problem.file == __file__


def test_an_error_names_its_method_s_line_or_none() -> None:
    with pytest.raises(TaskError) as caught:
        described(Small(targets=torch.zeros(40)))  # its class says where its data are
    assert caught.value.problem.line == Small.data.__code__.co_firstlineno
    assert str(caught.value).startswith(f"{__file__}:{Small.data.__code__.co_firstlineno}: data(")

    with pytest.raises(TaskError) as caught:
        described(Small(lambda: nn.Linear(4, 2)))
    assert caught.value.problem.line == Small.model.__code__.co_firstlineno

    with pytest.raises(TaskError) as caught:
        described(Small(objective=("f1", "maximize")))
    assert caught.value.problem.line is None
    assert str(caught.value).startswith(f"{__file__}: `objective` names")


def test_the_line_of_a_model_that_raises_is_named() -> None:
    with pytest.raises(TaskError) as caught:
        described(Small(raises))

    assert caught.value.problem.line == raises.__code__.co_firstlineno + 1


def test_a_loss_that_raises_is_told_not_raised() -> None:
    def loss(output: Tensor, target: Tensor) -> Tensor:
        raise ValueError("no loss today")

    found = described(Small(loss=loss))

    assert found.loss_error == "the loss raised: ValueError: no loss today"
    assert found.outputs is not None
    assert found.outputs.loss_ratio_when_doubled is None
    assert all(each.reached for each in found.parameters)


def test_own_loss_and_metrics_allow_outputs_of_any_shape() -> None:
    found = described(
        Small(
            lambda: nn.Linear(4, 7),
            loss=lambda output, target: output.square().mean(),
            metrics=lambda output, target: {"size": float(output.abs().mean())},
            kind="custom",
            objective=("size", "minimize"),
        )
    )

    assert (found.metric, found.direction, found.own_loss) == ("size", "minimize", True)


def test_own_metrics_are_tried_on_several_samples_at_a_time() -> None:
    def metrics(output: Tensor, target: Tensor) -> dict[str, float]:
        assert len(output) > 1
        return {"spread": float(output.std())}

    found = described(Small(metrics=metrics, objective=("spread", "maximize")))

    assert found.metric == "spread"


# -- data --


def test_inputs_are_measured_over_their_finite_samples() -> None:
    inputs = torch.tensor([[0.0, 10.0], [2.0, 30.0], [math.nan, 0.0], [1.0, math.inf]])
    found = describe_inputs(inputs)

    assert (found.low, found.high, found.mean) == (0.0, 30.0, 10.5)
    assert (found.num_non_finite, found.first_non_finite) == (2, 2)
    assert found.feature_sd_ratio == pytest.approx(10)


def test_inputs_without_a_finite_sample() -> None:
    found = describe_inputs(torch.full((3, 2), math.nan))

    assert math.isnan(found.mean)
    assert (found.num_non_finite, found.num_looked_at) == (3, 3)


@pytest.mark.parametrize(
    ("shape", "ratio"), [((6,), 5), ((6, 4, 4), 5), ((6, 9), 5), ((9, 6), 5), ((6, 6), 1)]
)
def test_features_and_channels_are_compared(shape: tuple[int, ...], ratio: float) -> None:
    inputs = torch.randn(500, *shape, generator=torch.Generator().manual_seed(0))
    axis = 2 if shape == (9, 6) else 1
    inputs.movedim(axis, -1)[..., 0] *= 5

    assert describe_inputs(inputs).feature_sd_ratio == pytest.approx(ratio, rel=0.2)


def test_rarely_used_features_count_as_constant() -> None:
    inputs = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    inputs[:, 1] = 7.0
    inputs[:, 2] = 0.0
    inputs[3, 2] = 0.001
    found = describe_inputs(inputs)

    assert found.num_constant_features == 2
    assert found.feature_sd_ratio < 1.2


def test_targets_with_an_ignored_class() -> None:
    task = Small(ignore_index=-1)
    found = describe_targets(task, torch.tensor([[0, -1], [1, 1], [5, -2], [-1, -1]]))

    assert found.class_counts == (1, 2, 0)
    assert (found.num_out_of_range, found.first_out_of_range) == (1, 2)
    assert (found.low, found.high) == (-2, 5)


def test_binary_targets_out_of_range_and_missing() -> None:
    found = describe_targets(Small(kind="binary"), torch.tensor([0.0, 1.0, 2.0, math.nan]))

    assert (found.num_out_of_range, found.first_out_of_range) == (1, 2)
    assert (found.num_non_finite, found.first_non_finite) == (1, 3)


def test_identical_samples_are_found() -> None:
    train = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [1.0, 2.0], [3.0, 4.0]])
    labels = torch.tensor([0, 1, 0, 2, 1])
    val = torch.tensor([[3.0, 4.0], [9.0, 9.0], [2.0, 1.0]])
    found = describe_overlap((train, labels), (val, labels[:3]))

    assert (found.train_val, found.conflicting) == (1, 3)


def test_a_column_made_by_indexing_with_none_can_be_compared() -> None:
    """NumPy gives it a stride of 0, and torch takes that over."""
    column = torch.tensor(np.arange(4.0)[:, None])
    assert column.stride(1) == 0
    found = describe_overlap((column, column), (column[1:2], column[1:2]))

    assert (found.train_val, found.conflicting) == (1, 0)


def test_the_overlap_of_large_data_is_quick() -> None:
    inputs = torch.randn(20_000, 784)
    targets = torch.zeros(20_000).long()
    begun = time.process_time()
    found = describe_overlap((inputs, targets), (inputs[:5_000], targets[:5_000]))

    assert found.train_val == 5_000
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize("body", ["nn.Linear(7, 3)", "None"], ids=["wrong size", "nothing"])
def test_a_model_that_fails_outside_of_the_file_is_placed_where_it_is_made(
    tmp_path: Path, body: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch\nfrom torch import nn\nfrom recipes import Task\n\n\n"
        "class Mine(Task):\n    num_classes = 3\n\n"
        "    def data(self, split):\n"
        "        pair = torch.randn(40, 4), torch.arange(40) % 3\n"
        "        return pair if split == 'train' else None\n\n"
        f"    def model(self, params):\n        return {body}\n"
    )
    with pytest.raises(TaskError) as caught:
        described(load_task(TaskRef(path=f"{file}:Mine")))

    assert caught.value.problem.file == str(file)
    assert caught.value.problem.line == 13
