"""What training together would gain for a task: measured once, when the task is described."""

from __future__ import annotations

import os
from collections.abc import Sequence

from recipes.errors import InvalidSetting
from recipes.fusing import GAIN, TRAINER_STRUCTURAL, Fusing
from recipes.space import Params, SearchSpace
from recipes.task import RESERVED_PARAMETERS, Task
from worker.data.data import TaskData
from worker.fused.admission import Admitted, admit
from worker.fused.asked import VARIABLE, asked_number
from worker.fused.form import form_of
from worker.fused.free_memory import free_bytes
from worker.fused.memory import FEW, MORE, PeakMemory
from worker.fused.rates import (
    SEED,
    Budget,
    alone_iterations,
    measured_rate,
    together_iterations,
    trial_member,
)
from worker.fused.refusal import NotFusable, reason_of
from worker.fused.room import MEMORY_SHARE, peaks
from worker.training.defaults import DEFAULT_PARAMS
from worker.training.member import Member, make_model

NUMBERS = (4, 8, 16, 32)
"""Members tried together. On a processor core more gain nothing: their tensors leave its cache."""
NEARLY = 0.95
"""Share of the best rate that the fewest members must reach to be taken: fewer lose less when
some of them end, and leave more to other slots."""
FAR_BELOW = 0.85
"""Share of the best rate under which more members are not tried: less may be chance."""
MOST_SECONDS = 3.0
"""What the measurements of a task may take together. A model that needs longer keeps a core
busy alone."""
ALWAYS_VARIED = ("lr",)
LEARNING_RATES = (1e-3, 1e-2)
"""Step 3 varies it, whether the space has it or not: so between two of these."""


def measure_fusing(task: Task, data: TaskData, space: SearchSpace) -> Fusing:
    """Whether, and how many of, a task's trials should train together.

    Looked at in the middle of the space, with the trials' data order shared; and, where a
    value of the space makes a larger model, whether the largest gains too.

    It raises nothing: a task that can be described can be trained one by one, whatever goes
    wrong in here.

    Args:
        task: As loaded.
        data: Its data, on the device.
        space: Its search space.
    """
    try:
        asked = asked_number(os.environ)
        if asked == 1:
            said = f"{VARIABLE}={os.environ[VARIABLE]}"
            return Fusing(chunk=1, reason=f"{said} was set where the task was described")
        return _measured(task, data, space, asked)
    except InvalidSetting as refused:
        return Fusing(chunk=1, reason=str(refused))
    except Exception as error:
        # The task's own code runs in here, on more models at once than ever before.
        return Fusing(chunk=1, reason=reason_of(error))


def _measured(task: Task, data: TaskData, space: SearchSpace, asked: int | None) -> Fusing:
    """Raises whatever the task's code raises, and NotFusable."""
    center = dict(space.center())
    _check_trainers_own(task, data, space, center)
    structural, largest = _structural(task, data, space, center)
    budget = Budget(MOST_SECONDS)
    try:
        if asked is not None:
            _admitted(task, data, center)
            return Fusing(chunk=asked, structural=structural)
        rates = _rates(task, data, center, NUMBERS, budget)
    except NotFusable as refused:
        return Fusing(chunk=1, reason=str(refused), structural=structural)
    chunk = _choose(rates)
    told = {str(number): rate for number, rate in rates.items()}
    if chunk == 1:
        reason = _no_gain(rates)
        return Fusing(chunk=1, reason=reason, structural=structural, rates=told)
    most = None
    if largest != center:
        most = _most_parameters(task, data, center, largest, chunk)
    return Fusing(chunk=chunk, structural=structural, rates=told, most_parameters=most)


def _check_trainers_own(task: Task, data: TaskData, space: SearchSpace, center: Params) -> None:
    """Whether the trainer's own hyperparameters leave the model as it is.

    A model that keeps its setting as an attribute has another form in every trial, though it
    may never look at it.

    Raises:
        NotFusable: One of them changes the form; it is named.
    """
    for name in DEFAULT_PARAMS:
        if name in TRAINER_STRUCTURAL or not (name in space or name in ALWAYS_VARIED):
            continue
        values = space[name].extremes() if name in space else LEARNING_RATES
        try:
            forms = {_built(task, data, {**center, name: value})[0] for value in values}
        except Exception:  # a step that trains there will say what it is
            continue
        if len(forms) > 1:
            raise NotFusable(f"its models keep {name}, so no two trials are of one form")


def _structural(
    task: Task, data: TaskData, space: SearchSpace, center: Params
) -> tuple[tuple[str, ...], Params]:
    """Names whose values change the model's form, and the setting that makes it largest."""
    form, _ = _built(task, data, center)
    names, largest = [], dict(center)
    for name, distribution in space.root.items():
        if name in RESERVED_PARAMETERS:
            continue
        found = []
        for value in distribution.extremes():
            try:
                found.append((value, *_built(task, data, {**center, name: value})))
            except Exception:  # a step that trains there will say what it is
                found.append((value, None, 0))
        if any(other != form for _, other, _ in found):
            names.append(name)
            largest[name] = max(found, key=lambda each: each[2])[0]
    return tuple(names), largest


def _built(task: Task, data: TaskData, params: Params) -> tuple[object, int]:
    """The form of a setting's model, None where that cannot be told; and its size."""
    model = make_model(task, params, seed=SEED, init="default", device=data.device)
    size = sum(each.numel() for each in model.parameters())
    try:
        return form_of(model), size
    except NotFusable:
        return None, size


def _rates(
    task: Task, data: TaskData, params: Params, numbers: Sequence[int], budget: Budget
) -> dict[int, float]:
    """Member-iterations a second by the number of members, 1 among them.

    No more members are made than memory is known to suffice for.

    Raises:
        NotFusable: They cannot train together, or that would take too long to find out.
    """
    admitted = _admitted(task, data, params)
    alone = alone_iterations(task, trial_member(task, data, params, 0))
    rates = {1: measured_rate(alone, 1, budget)}
    if numbers[0] * 3 / rates[1] > budget.left:
        raise NotFusable(
            f"one iteration takes {1 / rates[1]:.2g} s: a trial keeps a core busy by itself"
        )
    del alone
    room = free_bytes(data.device) * MEMORY_SHARE
    few = _peaks(task, data, params, FEW, admitted)
    if max(few) * MORE / FEW > room:
        return rates
    memory = PeakMemory.measured(
        lambda number: few if number == FEW else _peaks(task, data, params, number, admitted)
    )
    members: list[Member] = []
    for number in numbers:
        if memory.of(number) > room or budget.left <= 0:
            break
        members += [trial_member(task, data, params, row) for row in range(len(members), number)]
        rates[number] = measured_rate(together_iterations(task, members, admitted), number, budget)
        if len(rates) > 2 and rates[number] < FAR_BELOW * max(rates.values()):
            break
    return rates


def _admitted(task: Task, data: TaskData, params: Params) -> Admitted:
    """How such members train together. Raises NotFusable where they cannot."""
    members = [trial_member(task, data, params, row) for row in range(2)]
    form_of(members[0].model)
    return admit(task, members)


def _choose(rates: dict[int, float]) -> int:
    """The fewest members that reach nearly the best rate; 1 where none gains enough."""
    least = max(NEARLY * max(rates.values()), GAIN * rates[1])
    return min((number for number, rate in rates.items() if rate >= least), default=1)


def _no_gain(rates: dict[int, float]) -> str:
    together = {number: rate for number, rate in rates.items() if number > 1}
    if not together:
        return "together they would take too much memory"
    number = max(together, key=lambda each: together[each])
    gain = together[number] / rates[1]
    return f"{number} together train at {gain:.2f} times the rate of one, and {GAIN} is worth it"


def _most_parameters(
    task: Task, data: TaskData, center: Params, largest: Params, chunk: int
) -> int | None:
    """Up to which size models train together; None: whatever theirs is."""
    try:
        rates = _rates(task, data, largest, (chunk,), Budget(MOST_SECONDS))
    except Exception:  # out of memory, say: models of that size train one by one
        rates = {1: 1.0}
    if rates.get(chunk, 0.0) >= rates[1]:
        return None
    return sum(each.numel() for each in trial_member(task, data, center, 0).model.parameters())


def _peaks(
    task: Task, data: TaskData, params: Params, number: int, admitted: Admitted
) -> Sequence[int]:
    def make(so_many: int) -> list[Member]:
        return [trial_member(task, data, params, row) for row in range(so_many)]

    return peaks(task, make, number, is_mapped=admitted.is_mapped)
