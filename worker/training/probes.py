"""Measurements on a live model: at initialisation, and what its units and modes do later."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from recipes.outcome import GradientStatistics, Initialisation, ModeLosses
from recipes.task import Task
from worker.data.batches import BatchSource
from worker.training.activations import RELUS, SATURATING, watch_activations, watch_units
from worker.training.evaluation import chunks, evaluate, evaluation_indices
from worker.training.losses import mean_loss

INITIALISATION_SAMPLES = 1_024
"""At least 512 are wanted (method, step 1): twice that halves the loss's variance for little."""
DEAD_SAMPLES = 512
"""A unit that is 0 for this many samples is called dead (taxonomy 20)."""
FEWEST_DEAD_SAMPLES = 128
"""With which a dead unit is still told: one that 5 % of the samples reach is taken for dead
once in 700 times, and one that is taken for dead answers to at most 2.3 % of them (19 times in
20). Decision 0020."""
MODE_SAMPLES = 256
"""Over which both modes' losses are compared."""
FEWEST_MODE_SAMPLES = 64
"""With which they still are: batch norm has a batch's statistics of as many in training, and both
modes see the same samples. Decision 0020."""
LOOK_SHARE = 0.01
"""Of a training's own work, what a look at its units may take, and one at its modes: a short
training is looked at with fewer samples."""
TRAINING_PASSES, MODE_PASSES = 3, 3
"""Forwards' worth of a sample in training, where a backward costs two of them, and in a look at
the modes."""
CHUNK = 256
"""Samples in one forward and backward."""


def measure_initialisation(task: Task, model: nn.Module, samples: BatchSource) -> Initialisation:
    """Loss, outputs, activations and gradients of a model as it stands.

    The loss is taken in eval mode. Outputs, activations and gradients are too, but batch
    norms use the batch's statistics there, as they will in training: before the first
    iteration their running ones say nothing, and units behind them would look dead.

    Over at most INITIALISATION_SAMPLES training samples, drawn once for all runs. The
    gradients are of the kind's or the task's own mean loss without label smoothing, one
    backward over all the samples. Weights, their ``grad`` and the mode stay as they were.
    """
    indices = evaluation_indices(samples.num_samples, at_most=INITIALISATION_SAMPLES)
    loss = mean_loss(task)
    outputs = _OutputSums()
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    gradients = {name: torch.zeros_like(p) for name, p in trainable.items()}
    was_training = model.training
    model.eval()
    with (
        batch_statistics(model) as normed,
        watch_activations(model) as watch,
        backward_in_eval_mode(model),
    ):
        for chunk in chunks(indices, size=CHUNK):
            if normed and len(chunk) == 1:
                continue  # one sample has no statistics
            inputs, target = samples.batch(chunk)
            watch.begin_batch()
            output = model(inputs)
            outputs.add(output.detach())
            share = loss(output, target) * (len(chunk) / len(indices))
            found = torch.autograd.grad(share, list(trainable.values()), allow_unused=True)
            for total, gradient in zip(gradients.values(), found, strict=True):
                if gradient is not None:
                    total += gradient
    model.train(was_training)
    evaluation = evaluate(task, model, samples, indices, split="train", iteration=0)
    return Initialisation(
        loss=evaluation.loss,
        output_sd=outputs.sd,
        output_spread=outputs.spread,
        penalty=0.5 * sum(float(p.detach().double().square().sum()) for p in trainable.values()),
        layers=tuple(layer.statistics() for layer in watch.layers.values()),
        gradients=tuple(
            GradientStatistics(
                name=name,
                weight_norm=float(torch.linalg.vector_norm(trainable[name].detach())),
                gradient_norm=float(torch.linalg.vector_norm(gradient)),
            )
            for name, gradient in gradients.items()
        ),
    )


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[bool]:
    """Batch norms use the batch's statistics and keep their running ones; whether there are any.

    Momentum 0 leaves the running statistics as they are.
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    before = [(norm.training, norm.momentum, _copied(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 0.0
    try:
        yield bool(norms)
    finally:
        for norm, (training, momentum, tracked) in zip(norms, before, strict=True):
            norm.train(training)
            norm.momentum = momentum
            if tracked is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(tracked)


def _copied(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.clone()


@contextmanager
def backward_in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Recurrent layers have a backward in eval mode too.

    cuDNN has none for them there, and torch's own kernels, which take its place, have one. Nothing
    changes in train mode and without such layers. (``torch.backends.cudnn.flags`` would set the
    other switches of cuDNN as well.)
    """
    if model.training or not any(isinstance(each, nn.RNNBase) for each in model.modules()):
        yield
        return
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


class UnitShares(NamedTuple):
    """The worst layer's share of units that have stopped to respond; None without such layers.

    Attributes:
        dead: Units of a ReLU layer that are 0 for every sample.
        saturated: Inputs of a sigmoid or tanh beyond +-SATURATION.
    """

    dead: float | None
    saturated: float | None


def unit_shares(model: nn.Module, samples: BatchSource, *, num_trained: int) -> UnitShares:
    """How many units of a layer have stopped to respond, in eval mode.

    Over DEAD_SAMPLES samples; fewer after a short training, FEWEST_DEAD_SAMPLES at least.

    Args:
        model: As it stands; its mode is put back.
        samples: It was trained on these.
        num_trained: How many samples it has gone through, with repeats.
    """
    at_most = min(DEAD_SAMPLES, max(FEWEST_DEAD_SAMPLES, _affordable(num_trained, passes=1)))
    indices = evaluation_indices(samples.num_samples, at_most=at_most)
    was_training = model.training
    model.eval()
    # With gradients on: without them transformers take a path that calls no activation.
    with watch_units(model) as watch:
        for chunk in chunks(indices, size=CHUNK):
            watch.begin_batch()
            model(samples.batch(chunk)[0])
    model.train(was_training)
    layers = watch.layers.values()
    dead = [layer.dead_share for layer in layers if layer.kind in RELUS]
    saturated = [layer.saturated_share for layer in layers if layer.kind in SATURATING]
    return UnitShares(max(dead, default=None), max(saturated, default=None))


def _affordable(num_trained: int, *, passes: int) -> int:
    """Samples of a look that takes so many forwards each, by what the training itself took."""
    return int(LOOK_SHARE * TRAINING_PASSES * num_trained) // passes


@torch.no_grad()
def mode_losses(
    task: Task, model: nn.Module, samples: BatchSource, *, num_trained: int
) -> ModeLosses | None:
    """The loss of one batch of training samples, in both modes.

    Of MODE_SAMPLES samples; fewer after a short training, FEWEST_MODE_SAMPLES at least. The
    model's mode and its batch norms' running statistics stay as they were; other state
    that a module changes in train mode does not. None where it is known that nothing in the
    model heeds its mode, and below two samples: batch norm needs two to train on.

    Args:
        task: Whose loss is taken.
        model: As it stands; its mode is put back.
        samples: It was trained on these.
        num_trained: How many samples it has gone through, with repeats.
    """
    if not heeds_mode(model):
        return None
    affordable = _affordable(num_trained, passes=MODE_PASSES)
    at_most = min(MODE_SAMPLES, max(FEWEST_MODE_SAMPLES, affordable))
    indices = evaluation_indices(samples.num_samples, at_most=at_most)
    if len(indices) < 2:
        return None
    loss = mean_loss(task)
    inputs, target = samples.batch(indices)
    was_training = model.training
    model.eval()
    first, again = (float(loss(model(inputs.clone()), target)) for _ in range(2))
    with batch_statistics(model):
        model.train()
        in_train = float(loss(model(inputs.clone()), target))
    model.train(was_training)
    return ModeLosses(train=in_train, eval=first, eval_again=again, n=len(indices))


KNOWN_LAYERS = frozenset(
    f"torch.nn.modules.{each}"
    for each in (
        *("activation", "batchnorm", "container", "conv", "dropout", "flatten", "instancenorm"),
        *("linear", "normalization", "padding", "pixelshuffle", "pooling", "rnn", "sparse"),
        *("transformer", "upsampling"),
    )
)
"""Where torch keeps layers that do the same in both modes, but for norms with running statistics
and those with a dropout rate."""
RANDOM_LAYERS = (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
"""Of these the ones that draw without a rate that would say so."""
HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def heeds_mode(model: nn.Module) -> bool:
    """Whether anything in a model may do something else in train mode than in eval mode.

    True wherever that is not known. Known are torch's own layers, of exactly their classes and
    without hooks: a class of the task's own, one derived from a layer, a parametrisation
    (spectral norm) and a hook can do anything.
    """
    return any(map(_heeds_mode, model.modules()))


def _heeds_mode(module: nn.Module) -> bool:
    is_known = type(module).__module__ in KNOWN_LAYERS and type(module) not in RANDOM_LAYERS
    if not is_known or "forward" in vars(module):
        return True
    if any(getattr(module, hooks) for hooks in HOOKS):
        return True
    has_statistics = bool(getattr(module, "track_running_stats", False))
    rates = (getattr(module, name, 0) for name in ("p", "dropout"))
    return has_statistics or any(isinstance(rate, (int, float)) and rate > 0 for rate in rates)


class _OutputSums:
    """Sums over samples of the model's outputs, in float64, on the CPU.

    Outputs are taken relative to the first sample's, so that outputs that do not depend
    on the input have a spread of exactly 0.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None
        self._n = 0
        self._total: Tensor = torch.zeros(())
        self._squares: Tensor = torch.zeros(())
        self._centred_total = 0.0
        self._centred_squares = 0.0
        self._num_values = 0

    def add(self, output: Tensor) -> None:
        values = output.double()
        if self._first is None:
            self._first = values[0].clone()
        shifted = values - self._first
        self._n += len(values)
        self._total = self._total.to(values.device) + shifted.sum(0)
        self._squares = self._squares.to(values.device) + shifted.square().sum(0)
        # One output alone has no mean over outputs to take out.
        has_outputs = values.ndim >= 2 and values.shape[1] > 1
        centred = values - values.mean(1, keepdim=True) if has_outputs else values
        self._centred_total += float(centred.sum())
        self._centred_squares += float(centred.square().sum())
        self._num_values += centred.numel()

    @property
    def sd(self) -> float:
        """Over samples and outputs, each sample's mean over outputs (dimension 1) taken out."""
        mean = self._centred_total / self._num_values
        return math.sqrt(max(self._centred_squares / self._num_values - mean * mean, 0.0))

    @property
    def spread(self) -> float:
        """The largest sd over samples of one output."""
        mean = self._total / self._n
        variance = (self._squares / self._n - mean.square()).clamp_min(0)
        return float(variance.max().sqrt())
