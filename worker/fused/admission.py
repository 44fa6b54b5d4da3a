"""Whether members may train together: a few iterations of both ways, compared in float64."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from recipes.task import Task
from worker.fused.batches import MemberBatches
from worker.fused.form import form_of
from worker.fused.in_double import InDouble
from worker.fused.masks import member_rates
from worker.fused.refusal import MAX_LENGTH, NotFusable, reason_of
from worker.fused.room import Room
from worker.fused.stack import Stack
from worker.fused.task_state import changed, kept_by, unchanged
from worker.fused.team import Team
from worker.training.member import Member, make_model
from worker.training.optimizers import PlainOptimizer
from worker.training.precision import in_precision
from worker.training.regularisation import switch_off
from worker.training.seeding import mask_seed, seed_everything

ITERATIONS = 3
"""Enough that what the first ones do to weights, buffers and the optimiser's state shows."""
TOLERANCE = 1e-9
"""Largest difference, over a tensor's largest size or 1. Rounding in float64 makes 1e-15."""
LARGEST_LR = 1e-3
"""Rates are cut to it, so that what is compared is the arithmetic and not a divergence."""
SEED = 0
GROUP_SAMPLES = 4
GROUP_TOLERANCE = 1e-4
"""Of float32 outputs, whose matrices may lie elsewhere in memory and round otherwise."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """How members train together.

    Attributes:
        is_mapped: Their forward is mapped, though all its layers may be known.
    """

    is_mapped: bool


class Admission:
    """Answers once for all members of a form whether they may train together.

    Attributes:
        room: Answers how many of them fit into memory.
    """

    def __init__(self) -> None:
        self.room = Room()
        self._answers: dict[Hashable, Admitted | NotFusable] = {}

    def ask(
        self,
        task: Task,
        members: Sequence[Member],
        *,
        form: Hashable,
        shares_order: bool | None = None,
    ) -> Admitted:
        """How they may.

        Args:
            task: Theirs.
            members: One or more of one form.
            form: What they have in common; it is looked at once.
            shares_order: As ``MemberBatches`` is given it.

        Raises:
            NotFusable: They may not; says why.
        """
        if form not in self._answers:
            try:
                rates = member_rates([each.model for each in members]).values()
                dropping = [
                    sum(each.of_members[row] for each in rates) for row in range(len(members))
                ]
                most = members[max(range(len(members)), key=dropping.__getitem__)]
                self._answers[form] = admit(task, [members[0], most], shares_order=shares_order)
            except NotFusable as refused:
                self._answers[form] = refused
        answer = self._answers[form]
        if isinstance(answer, NotFusable):
            raise answer
        return answer


def admit(task: Task, members: Sequence[Member], *, shares_order: bool | None = None) -> Admitted:
    """How two members may train together: by known layers, else mapped.

    Raises:
        NotFusable: Neither way gives what they give alone; says why.
    """
    _check_task(task, members[0])
    admitted = Admitted(is_mapped=False)
    try:
        compare(task, members, is_mapped=False, shares_order=shares_order)
    except NotFusable:
        # What torch maps knows more operations, and is the one whose refusal tells something.
        compare(task, members, is_mapped=True, shares_order=shares_order)
        admitted = Admitted(is_mapped=True)
    check_group(task, members)
    return admitted


def _check_task(task: Task, member: Member) -> None:
    """Whether making a model leaves something with the task."""
    spec, before = member.spec, kept_by(task)
    made = make_model(
        task,
        spec.params,
        seed=spec.seed,
        init=member.hyperparameters.init,
        device=_device([member]),
    )
    name = changed(before, kept_by(task))
    del made  # alive until here, so that nothing of it lay where something else was before
    if name is not None:
        raise NotFusable(
            f"the task keeps {name} of the model it made last, and its loss may read it"
        )


def check_group(task: Task, members: Sequence[Member]) -> None:
    """Whether a group may go by the answer that two members of its form were given.

    Each model's forward in eval mode is compared with that of the first one's copy on its
    tensors.

    Raises:
        NotFusable: They are not alike after all; says why.
    """
    try:
        found, wanted = _outputs(task, members)
        are_alike = torch.allclose(found, wanted, rtol=GROUP_TOLERANCE, atol=1e-6, equal_nan=True)
    except Exception as error:
        raise NotFusable(reason_of(error)) from error
    if not are_alike:
        raise NotFusable("models that look alike compute different things")


@torch.no_grad()
def _outputs(task: Task, members: Sequence[Member]) -> tuple[Tensor, Tensor]:
    """The group's outputs by one skeleton and by each own model, (K, B, ...) both."""
    stack = Stack([each.model for each in members])
    stack.skeleton.eval()
    device = _device(members)
    positions = torch.arange(min(GROUP_SAMPLES, members[0].sample.num_samples), device=device)
    inputs = members[0].sample.batch(positions)[0]
    found, wanted = [], []
    for row, member in enumerate(members):
        was_training = member.model.training
        own = partial(stack.run, stack.row(row))
        found.append(in_precision(task, own, inputs.clone()))
        wanted.append(in_precision(task, member.model.eval(), inputs.clone()))
        member.model.train(was_training)
    return torch.stack(found), torch.stack(wanted)


def compare(
    task: Task,
    members: Sequence[Member],
    *,
    is_mapped: bool,
    shares_order: bool | None = None,
) -> None:
    """Train copies of two members both ways, and compare everything. Nothing of theirs changes.

    Dropout takes part where its masks are those that a member draws alone (see
    ``worker.fused.masks``); elsewhere it is off. The global generators are seeded anew.

    Raises:
        NotFusable: The two ways differ, or one of them does not work; says why.
    """
    if members[0].augment is not None:
        _check_augmentation(members[0])
    batches = MemberBatches(
        [replace(each, augment=None) for each in members],
        _device(members),
        shares_order=shares_order,
    )
    taken = [batches.batch(each) for each in itertools.islice(batches.of_epoch(0), ITERATIONS)]
    taken = [(_double(inputs), _double(target), shared) for inputs, target, shared in taken]
    if members[0].augment is not None:  # then each has a batch of its own
        taken = [_by_rows(*each, len(members)) for each in taken]
    with unchanged(task), InDouble():
        alone, expected = _reference(members, taken)
        before = _global_states()
        try:
            team = Team.of(task, [_copy(each) for each in members], is_mapped=is_mapped)
            found = _train_together(team, taken)
        except Exception as error:
            raise NotFusable(reason_of(error)) from error
        if before != _global_states():
            raise NotFusable("its forward draws random numbers of its own")
        # Both in train mode: a model may keep some of its modules out of it.
        if form_of(alone[0].model.train()) != form_of(_copy(members[0]).model.train()):
            raise NotFusable("its forward changes what the model holds beside its tensors")
        _check_evaluation(alone[0], taken[0][0] if taken[0][2] else taken[0][0][0])
    for row, wanted in enumerate(expected):
        for name, tensor in wanted.items():
            _check(name, found[name][row], tensor)


def _reference(
    members: Sequence[Member], batches: Sequence[tuple[Tensor, Tensor, bool]]
) -> tuple[list[Member], list[dict[str, Tensor]]]:
    """Copies of members that were trained one by one, and everything measured of them."""
    try:
        alone = [_copy(each) for each in members]
        return alone, [_train_alone(each, row, batches) for row, each in enumerate(alone)]
    except NotFusable:
        raise
    except Exception as error:
        raise NotFusable(
            f"it cannot be compared in float64: {type(error).__name__}: {str(error)[:MAX_LENGTH]}"
        ) from error


def _copy(member: Member) -> Member:
    model = copy.deepcopy(member.model).double()
    if _device([member]).type != "cpu":
        switch_off(model)
    of_run = member.hyperparameters
    settings = replace(of_run.optimizer, lr=min(of_run.optimizer.lr, LARGEST_LR))
    return replace(
        member,
        model=model,
        hyperparameters=replace(of_run, optimizer=settings),
        optimizer=PlainOptimizer(model.parameters(), settings),
    )


def _train_alone(
    member: Member, row: int, batches: Sequence[tuple[Tensor, Tensor, bool]]
) -> dict[str, Tensor]:
    """Everything measured of one member that trains by itself, by name."""
    measured: dict[str, Tensor] = {}
    model, optimizer = member.model, member.optimizer
    seed_everything(mask_seed(SEED, epoch=0))
    before = _states_beside_torch()
    for number, (inputs, target, is_shared) in enumerate(batches):
        own = (inputs, target) if is_shared else (inputs[row], target[row])
        own = (own[0].clone(), own[1])  # a forward may write into it
        model.train()
        loss = member.loss(model(own[0]), own[1])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        measured[f"the loss of iteration {number}"] = loss.detach()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                measured[f"the gradient of {name} in iteration {number}"] = parameter.grad.clone()
        if member.hyperparameters.grad_clip:
            clip_grad_norm_(model.parameters(), member.hyperparameters.grad_clip)
        optimizer.step()
    if before != _states_beside_torch():
        raise NotFusable("its forward draws random numbers of its own")
    measured |= {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    measured |= {name: tensor.clone() for name, tensor in model.named_buffers()}
    return measured


def _check_evaluation(member: Member, inputs: Tensor) -> None:
    """Whether an evaluation draws nothing: what it drew would depend on who went before."""
    before = _global_states()
    with torch.no_grad():
        copy.deepcopy(member.model).eval()(inputs.clone())
    if before != _global_states():
        raise NotFusable("its forward draws random numbers in eval mode too")


def _train_together(
    team: Team, batches: Sequence[tuple[Tensor, Tensor, bool]]
) -> dict[str, Tensor]:
    """The same of members that train together, each tensor (K, ...)."""
    measured: dict[str, Tensor] = {}
    num_members = team.stack.num_members
    kept = _kept_tensors(team.stack.skeleton)
    team.masks.seed([SEED] * num_members, epoch=0)
    for number, (inputs, target, is_shared) in enumerate(batches):
        losses, _ = team.forward.train(inputs.clone(), target, is_shared=is_shared)
        measured[f"the loss of iteration {number}"] = losses.detach()
        team.backward(losses)
        for name, parameter in team.stack.parameters.items():
            if parameter.grad is not None:
                measured[f"the gradient of {name} in iteration {number}"] = parameter.grad.clone()
        team.step([1.0] * num_members)
    if _kept_tensors(team.stack.skeleton) != kept:
        raise NotFusable("its forward keeps a tensor outside the buffers")
    measured |= team.stack.tensors()
    return measured


def _kept_tensors(model: nn.Module) -> dict[tuple[str, str], int]:
    """Which tensors modules hold as plain attributes: names and identities."""
    return {
        (name, key): id(value)
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, Tensor)
    }


def _check(name: str, found: Tensor | None, wanted: Tensor) -> None:
    if found is None or found.shape != wanted.shape:
        raise NotFusable(f"{name} is another one when trials train together")
    if not wanted.is_floating_point():
        difference = float((found != wanted).any())
    else:
        size = max(1.0, float(wanted.nan_to_num(posinf=0.0, neginf=0.0).abs().max()))
        same = torch.isclose(found, wanted, rtol=0.0, atol=TOLERANCE * size, equal_nan=True)
        difference = 0.0 if bool(same.all()) else float((found - wanted).abs().max())
    if difference:
        raise NotFusable(f"{name} differs by {difference:.2g} when trials train together")


def _check_augmentation(member: Member) -> None:
    """Whether an augmentation keeps to the generator that it is given."""
    assert member.augment is not None
    device = _device([member])
    generator = torch.Generator(device).manual_seed(0)
    positions = torch.arange(min(2, member.sample.num_samples), device=device)
    before = _global_states()
    member.augment(member.sample.batch(positions), generator)
    if before != _global_states():
        raise NotFusable("augment draws from global generators and not from the one it is given")


def _global_states() -> tuple[object, ...]:
    generators = [torch.default_generator.get_state()]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        generators.append(torch.cuda.get_rng_state())
    return *(each.numpy().tobytes() for each in generators), *_states_beside_torch()


def _states_beside_torch() -> tuple[object, ...]:
    of_numpy = np.random.get_state(legacy=False)
    return random.getstate(), of_numpy["state"]["key"].tobytes(), of_numpy["state"]["pos"]


def _by_rows(
    inputs: Tensor, target: Tensor, is_shared: bool, num_members: int
) -> tuple[Tensor, Tensor, bool]:
    """A batch as each member's own."""
    if not is_shared:
        return inputs, target, False
    rows = (each.expand(num_members, *each.shape) for each in (inputs, target))
    return *rows, False  # type: ignore[return-value]


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _device(members: Sequence[Member]) -> torch.device:
    return next(members[0].model.parameters()).device
