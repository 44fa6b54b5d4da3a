from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.outcome import Initialisation
from recipes.rules.dead_relu import FAIL_SHARE, NOTE_SHARE
from recipes.rules.train_eval_mismatch import EXCESS
from recipes.run import Sample
from tests.worker_tests.training_tasks import CPU, Binary, Blobs, run_spec, trained
from worker.data.batches import TrainingSample
from worker.data.data import load_data
from worker.training.activations import watch_activations
from worker.training.internals import InternalsSampler, gradient_norm, update_ratios
from worker.training.probes import (
    DEAD_SAMPLES,
    FEWEST_DEAD_SAMPLES,
    FEWEST_MODE_SAMPLES,
    MODE_SAMPLES,
    backward_in_eval_mode,
    heeds_mode,
    measure_initialisation,
    mode_losses,
    unit_shares,
)


def task_with(model: Callable[[], nn.Module]) -> Blobs:
    class Made(Blobs):
        def model(self, params: object) -> nn.Module:
            return model()

    return Made()


def probed(task: Blobs) -> tuple[Initialisation, nn.Module]:
    torch.manual_seed(0)
    model = task.model({})
    sample = TrainingSample(load_data(task, CPU), Sample())
    return measure_initialisation(task, model, sample), model


def layers(model: nn.Module, inputs: Tensor) -> dict[str, str]:
    with watch_activations(model) as watch:
        watch.begin_batch()
        model(inputs)
    return {name: layer.kind for name, layer in watch.layers.items()}


def test_the_numbers_are_those_of_one_plain_pass() -> None:
    task = Blobs()
    measured, model = probed(task)
    inputs, target = task.data("train")
    hidden = F.relu(model[0](inputs))
    output = model(inputs)
    hidden, logits = hidden.detach(), output.detach()
    loss = F.cross_entropy(output, target)
    loss.backward()
    centred = (logits - logits.mean(1, keepdim=True)).double()

    assert measured.loss.n == 257
    assert measured.loss.mean == pytest.approx(loss.item(), rel=1e-6)
    assert measured.output_sd == pytest.approx(float(centred.std(correction=0)), rel=1e-6)
    spread = logits.double().std(0, correction=0).max()
    assert measured.output_spread == pytest.approx(float(spread), rel=1e-6)
    weights = [p.detach().double() for p in model.parameters()]
    assert measured.penalty == pytest.approx(0.5 * float(sum(w.square().sum() for w in weights)))
    relu = measured.layers[1]
    assert (relu.name, relu.kind) == ("1", "ReLU")
    assert relu.mean == pytest.approx(float(hidden.mean()), rel=1e-5)
    assert relu.sd == pytest.approx(float(hidden.std(correction=0)), rel=1e-5)
    assert relu.zero_share == pytest.approx(float((hidden == 0).double().mean()))
    assert relu.dead_share == float((hidden == 0).all(0).double().mean())
    for found, (name, parameter) in zip(measured.gradients, model.named_parameters(), strict=True):
        assert found.name == name
        assert found.weight_norm == pytest.approx(float(parameter.detach().norm()), rel=1e-6)
        assert found.gradient_norm == pytest.approx(float(parameter.grad.norm()), rel=1e-4)


def test_probing_changes_nothing() -> None:
    task = task_with(
        lambda: nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 4))
    )
    torch.manual_seed(0)
    model = task.model({}).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sample = TrainingSample(load_data(task, CPU), Sample())
    measure_initialisation(task, model, sample)
    unit_shares(model, sample, num_trained=1_000)

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_an_ignored_input_has_no_spread_at_all() -> None:
    class Ignores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.layer(inputs * 0)

    measured, _ = probed(task_with(Ignores))
    assert measured.output_spread == 0
    assert measured.output_sd > 0


def test_one_output_keeps_its_mean() -> None:
    measured, model = probed(Binary())
    output = model(Binary().data("train")[0]).detach().double()
    assert measured.output_sd == pytest.approx(float(output.std(correction=0)), rel=1e-6)


@pytest.mark.parametrize(
    "relu",
    [F.relu, torch.relu, Tensor.relu, lambda x: x.clone().relu_(), nn.ReLU()],
    ids=["F.relu", "torch.relu", "Tensor.relu", "Tensor.relu_", "nn.ReLU"],
)
def test_dead_relus_are_seen_however_they_are_called(relu: Callable[[Tensor], Tensor]) -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)
            nn.init.constant_(self.first.bias[:12], -1e3)
            self.relu = relu

        def forward(self, inputs: Tensor) -> Tensor:
            return self.last(self.relu(self.first(inputs)))

    measured, model = probed(task_with(Dead))
    (layer,) = [each for each in measured.layers if each.kind in ("ReLU", "relu")]
    assert layer.name == ("relu" if isinstance(relu, nn.Module) else "relu_1")
    assert layer.dead_share >= 0.75
    assert layer.zero_share >= 0.75
    sample = TrainingSample(load_data(Blobs(), CPU), Sample())
    assert unit_shares(model, sample, num_trained=100_000).dead == layer.dead_share


def test_functional_and_module_activations_are_told_apart_and_counted_once() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.act = nn.Linear(8, 8), nn.ReLU()

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.act(self.layer(inputs))
            hidden = self.act(torch.tanh(self.layer(hidden)))
            return F.relu(F.gelu(F.relu(hidden)))

    assert layers(Mixed(), torch.randn(3, 8)) == {
        "layer": "Linear",
        "act": "ReLU",
        "layer#2": "Linear",
        "tanh_1": "tanh",
        "act#2": "ReLU",
        "relu_1": "relu",
        "gelu_1": "gelu",
        "relu_2": "relu",
    }


def test_a_transformers_functional_relu_is_seen() -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    found = layers(block, torch.randn(3, 5, 8))
    assert found["relu_1"] == "relu"
    assert {"linear1", "linear2", "norm1"} <= set(found)


def test_a_dead_unit_is_a_channel_after_a_convolution_and_a_feature_after_a_linear_layer() -> None:
    conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    nn.init.constant_(conv[0].bias[:1], -1e3)
    linear = nn.Sequential(nn.Linear(6, 4), nn.ReLU())
    nn.init.constant_(linear[0].bias[:2], -1e3)
    for model, inputs, expected in (
        (conv, torch.randn(64, 1, 8, 8), 0.25),
        (linear, torch.randn(64, 5, 6), 0.5),
    ):
        with watch_activations(model) as watch:
            watch.begin_batch()
            model(inputs)
        assert watch.layers["1"].dead_share == expected


def test_a_unit_is_dead_only_if_it_is_zero_in_every_batch() -> None:
    model = nn.ReLU()
    with watch_activations(model) as watch:
        for row in ([[0.0, 1.0, 0.0]], [[0.0, 0.0, 2.0]]):
            watch.begin_batch()
            model(torch.tensor(row))
    assert watch.layers["model"].dead_share == pytest.approx(1 / 3)
    assert watch.layers["model"].statistics().zero_share == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    "tanh",
    [nn.Tanh(), torch.tanh, torch.sigmoid, nn.Sigmoid()],
    ids=["nn.Tanh", "torch.tanh", "torch.sigmoid", "nn.Sigmoid"],
)
def test_saturation_is_judged_on_the_inputs(tanh: Callable[[Tensor], Tensor]) -> None:
    class Squash(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = tanh

        def forward(self, inputs: Tensor) -> Tensor:
            return self.act(inputs)

    model = Squash()
    with watch_activations(model) as watch:
        watch.begin_batch()
        model(torch.tensor([[0.0, 4.9, 5.1, -9.0]]))
    shares = [layer.statistics().saturated_share for layer in watch.layers.values()]
    assert [share for share in shares if share is not None] == [0.5]


def test_recurrent_layers_and_token_inputs_are_measured_too() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.gru, self.head = nn.Embedding(9, 4), nn.GRU(4, 4), nn.Linear(4, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(self.gru(self.embed(tokens))[0].mean(1))

    found = layers(Reader(), torch.randint(0, 9, (3, 5)))
    assert found == {"embed": "Embedding", "gru": "GRU", "head": "Linear"}


def test_recurrent_layers_are_probed_without_cudnn_which_has_no_backward_in_eval_mode() -> None:
    seen: set[tuple[bool, bool]] = set()

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(8, 4), nn.Linear(4, 4)

        def forward(self, inputs: Tensor) -> Tensor:
            seen.add((torch.is_grad_enabled(), torch.backends.cudnn.enabled))
            return self.head(self.lstm(inputs)[0])

    measured, model = probed(task_with(Reader))

    assert all(each.gradient_norm > 0 for each in measured.gradients)
    assert seen == {(True, False), (False, True)}, "an evaluation needs no backward"
    with backward_in_eval_mode(model.train()):
        assert torch.backends.cudnn.enabled
    with backward_in_eval_mode(nn.Conv2d(1, 1, 1).eval()):
        assert torch.backends.cudnn.enabled


def test_update_ratios_and_gradient_norm() -> None:
    before = [torch.full((2, 2), 2.0), torch.zeros(2, 2)]
    after = [torch.full((2, 2), 2.02), torch.ones(2, 2)]
    ratios = update_ratios(before, after)

    assert float(ratios[0]) == pytest.approx(0.01, rel=1e-4)
    assert math.isnan(float(ratios[1]))
    assert float(gradient_norm([torch.tensor([3.0]), torch.tensor([[4.0]])])) == 5.0


def test_a_sgd_step_has_the_ratio_lr_times_gradient_over_weight() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(5, 4)).square().sum().backward()
    sampler = InternalsSampler.of(model)
    expected = [
        0.1 * float(layer.weight.grad.norm() / layer.weight.detach().norm())
        for layer in (model[0], model[2])
    ]
    sampler.before_step()
    optimizer.step()
    named = sampler.named(sampler.after_step().tolist())

    assert list(named) == [
        "gradient_norm", "gradient_norm/first", "gradient_norm/last",
        "update_ratio", "update_ratio/0.weight", "update_ratio/2.weight",
    ]  # fmt: skip
    assert named["update_ratio/0.weight"] == pytest.approx(expected[0], rel=1e-4)
    assert named["update_ratio"] == pytest.approx(sum(expected) / 2, rel=1e-4)


def test_internals_are_sampled_as_often_as_asked_and_do_not_change_the_run() -> None:
    plain = trained(Blobs(), run_spec({"grad_clip": 0.01}, iterations=25))
    watched = trained(Blobs(), run_spec({"grad_clip": 0.01}, iterations=25, internals_every=10))

    assert watched.curve("gradient_norm").iterations == (0, 10, 20)
    assert watched.curve("update_ratio/0.weight").iterations == (0, 10, 20)
    assert watched.curve("gradient_norm").values[0] > 0.01  # before clipping
    assert watched.curve("loss") == plain.curve("loss")
    assert watched.outcomes[0].evaluations == plain.outcomes[0].evaluations
    assert watched.outcomes[0].dead_share is not None
    assert plain.outcomes[0].dead_share is None


def test_a_task_without_relus_has_no_dead_share() -> None:
    outcome = trained(Binary(), run_spec(iterations=2, internals_every=1)).outcomes[0]
    assert outcome.dead_share is None


class Responds(nn.Module):
    """ReLU units of which some are dead, and each other one responds to a share of samples."""

    def __init__(self, *, num_dead: int, share: float) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(64))  # of uniform inputs from 0 to 1
            self.first.bias.fill_(share - 1)
            self.first.bias[:num_dead] = -2.0

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.relu(self.first(inputs)))


class Uniform(Blobs):
    def data(self, split: str) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(len(split))
        return torch.rand(2_000, 64, generator=generator), torch.arange(2_000) % 4


@pytest.mark.parametrize("num_trained", [0, 3_000, 10**6])
def test_after_a_short_training_the_verdict_on_units_is_the_same(num_trained: int) -> None:
    """Units that answer to a twentieth of the samples are not dead, whoever looks."""
    sample = TrainingSample(load_data(Uniform(), CPU), Sample())
    for num_dead, low, high in ((0, 0.0, 0.03), (13, NOTE_SHARE, 0.25), (33, FAIL_SHARE, 0.55)):
        model = Responds(num_dead=num_dead, share=0.05)
        share = unit_shares(model, sample, num_trained=num_trained).dead
        assert share is not None
        assert low <= share <= high


def test_the_fewest_samples_tell_a_rare_unit_from_a_dead_one() -> None:
    assert (1 - 0.05) ** FEWEST_DEAD_SAMPLES < 1 / 700
    assert (1 - 0.0232) ** FEWEST_DEAD_SAMPLES < 0.05
    assert (1 - 0.0059) ** DEAD_SAMPLES < 0.05


class Own(nn.Module):
    """A forward that says nothing of modes, and calls who knows what."""

    def __init__(self, inner: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        return self.inner(inputs)


def hooked() -> nn.Module:
    layer = nn.Linear(8, 4)
    layer.register_forward_hook(lambda module, inputs, output: F.dropout(output))
    return layer


def overwritten() -> nn.Module:
    layer = nn.Linear(8, 4)
    layer.forward = lambda inputs: F.dropout(inputs)  # type: ignore[method-assign]
    return layer


@pytest.mark.parametrize(
    "model",
    [
        lambda: nn.Dropout(0.1),
        lambda: nn.BatchNorm1d(4),
        lambda: nn.InstanceNorm1d(4, track_running_stats=True),
        lambda: nn.RReLU(),
        lambda: nn.FractionalMaxPool2d(2, output_size=2),
        lambda: nn.MultiheadAttention(4, 2, dropout=0.1),
        lambda: nn.LSTM(4, 4, 2, dropout=0.1),
        lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1),
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
        lambda: nn.utils.spectral_norm(nn.Linear(4, 4)),
        lambda: type("Derived", (nn.Linear,), {})(4, 4),
        lambda: Own(lambda x: F.dropout(x)),
        hooked,
        overwritten,
    ],
    ids=range(14),
)
def test_where_the_mode_may_count_it_is_looked_at(model: Callable[[], nn.Module]) -> None:
    assert heeds_mode(nn.Sequential(nn.Linear(8, 4), model()))


def test_layers_that_do_not_know_modes_are_not_looked_at() -> None:
    layers = [
        *(nn.Linear(4, 4), nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.LayerNorm(4)),
        *(nn.Embedding(3, 4), nn.Dropout(0.0), nn.BatchNorm1d(4, track_running_stats=False)),
        *(nn.Flatten(), nn.GRU(4, 4), nn.Softmax(1), nn.Upsample(scale_factor=2)),
    ]
    assert not heeds_mode(nn.Sequential(*layers))


def test_a_forward_that_writes_into_its_input_has_one_loss() -> None:
    model = nn.Sequential(Own(lambda inputs: inputs.div_(2)), nn.Linear(8, 4))
    sample = TrainingSample(load_data(Blobs(), CPU), Sample())
    found = mode_losses(Blobs(), model, sample, num_trained=10**6)

    assert found is not None
    assert found.train == found.eval == found.eval_again


@pytest.mark.parametrize(
    ("num_trained", "num_samples"), [(0, FEWEST_MODE_SAMPLES), (10**6, MODE_SAMPLES)]
)
def test_after_a_short_training_the_verdict_on_modes_is_the_same(
    num_trained: int, num_samples: int
) -> None:
    task, sample = Uniform(), TrainingSample(load_data(Uniform(), CPU), Sample())
    settled, unsettled = nn.BatchNorm1d(64), nn.BatchNorm1d(64)
    for layer in (settled, unsettled):
        with torch.no_grad():
            layer.weight.fill_(3.0)
    for _ in range(100):
        settled(torch.rand(64, 64))
    for layer, is_worse in ((settled, False), (unsettled, True)):
        torch.manual_seed(0)
        model = nn.Sequential(layer, nn.Linear(64, 4))
        with torch.no_grad():  # an output that a norm's wrong statistics shift
            model[1].weight[0] += 1.0
        losses = mode_losses(task, model, sample, num_trained=num_trained)
        assert losses is not None
        assert losses.n == num_samples
        assert losses.eval == losses.eval_again
        assert (losses.eval > (1 + EXCESS) * losses.train) == is_worse
