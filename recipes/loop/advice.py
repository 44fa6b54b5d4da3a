"""What can be tried next, in the order a practitioner would try it.

A piece of advice looks at the situation and answers with a changed round plan, or None
where it does not apply. Only what the task's space declares and the trainer's own knobs
(epochs, schedule, warm-up, clipping) can be changed; anything else stays advice in a
finding's words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recipes.loop.situation import Situation
from recipes.search.region import MARGIN, ranged
from recipes.search.round_plan import RoundPlan
from recipes.search.summary import range_text
from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace
from recipes.task import RESERVED_PARAMETERS
from recipes.words import rate

SCHEDULE_FACTORS = (1.0, 3.0, 10.0)
"""A schedule re-opens the learning rate by these: the best constant rate is too low for a
decayed one (method.md, step 7; CIFAR-10, 50 hidden units: 0.503, 0.496, then 0.525 at ten
times it)."""

SCHEDULES = ("cosine", "linear")
"""What is tried, the second when the first did not help."""

LONGER = 2
MOST_EPOCHS = 200
"""Training is made this many times longer at once, up to there."""

WARMUP = 0.05
"""Share of the run (usual values are 1 to 10 %; tuning playbook, learning rate warm-up)."""

WHY_WARMUP = {
    "loss_spikes": "the loss spikes",
    "best_lr_at_stability_edge": "rates right above the best one diverge",
    "many_diverged": "more than half of a search's trials diverged",
}
WHY_LONGER = {
    "still_improving": "validation still improved",
    "underfitting": "the training data are not fitted",
    "flat_then_drop": "the loss stood still at first",
    "lr_too_low": "the learning rate is low for so few",
}
"""Findings that ask for a warm-up, or for more epochs, and why in words."""

REGULARISE = 10.0
"""Weight decay is moved by about this at once (3 to 10 times; notes on diagnosis, row 30)."""

SMALLEST_WEIGHT_DECAY = 1e-5
LARGER_MODEL = 4
LARGER_BATCH = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a round plan, with its reason.

    Attributes:
        because: Codes of the findings it answers.
        sentence: What is changed and why.
        changes: The same by name, for programs.
        plan: The next round's.
    """

    because: tuple[str, ...]
    sentence: str
    changes: dict[str, Any]
    plan: RoundPlan


@dataclass(frozen=True, slots=True)
class Advice:
    """A named piece of advice."""

    name: str
    propose: Callable[[Situation], Change | None]


def _extend_range(now: Situation) -> Change | None:
    """The best lies at a soft edge of the fine box: search on beyond it."""
    edges = now.edges
    space = now.base.space
    changes: dict[str, Any] = {}
    for edge in edges:
        name, own = edge["name"], space.root.get(edge["name"])
        value = now.best_params.get(name)
        if not isinstance(own, (Float, Int)) or isinstance(value, (str, bool)) or value is None:
            continue
        wider = edge["wider"]
        best = float(str(value))
        low = best / MARGIN if own.log and best > 0 else float(own.low)
        high = best * MARGIN if own.log and best > 0 else float(own.high)
        ends = (low, wider["high"]) if edge["side"] == "high" else (wider["low"], high)
        if not ends[0] < ends[1]:
            continue
        space = space.replace(**{name: ranged(own, float(ends[0]), float(ends[1]))})
        changes[name] = [float(ends[0]), float(ends[1])]
    if not changes:
        return None
    names = ", ".join(f"{name} over {range_text(space[name])}" for name in changes)  # type: ignore[arg-type]
    return Change(
        ("best_at_edge",),
        f"Search {names}: the best values lay at the edge of the box.",
        changes,
        _with(now, space=space),
    )


def _warmup(now: Situation) -> Change | None:
    """Spikes and divergence near the best rate: begin gently."""
    because = _made(now, tuple(WHY_WARMUP))
    if not because or not _is_free(now, "warmup") or "warmup" in now.base.extras:
        return None
    return Change(
        because,
        f"Warm the learning rate up over the first {100 * WARMUP:.0f} % of a run: "
        f"{WHY_WARMUP[because[0]]}.",
        {"warmup": WARMUP},
        _with(now, extras={"warmup": WARMUP}),
    )


def _less_regularisation(now: Situation) -> Change | None:
    """Underfitting with weight decay on: take it down."""
    decay = now.best_params.get("weight_decay")
    if not now.has("underfitting") or not isinstance(decay, float) or not decay:
        return None
    return _weight_decay(
        now, decay / (REGULARISE * MARGIN), decay / MARGIN, ("underfitting",), "less", zero=True
    )


def _larger_model(now: Situation) -> Change | None:
    """Underfitting, and the space has sizes: make the model larger."""
    if not now.has("underfitting"):
        return None
    changed: dict[str, Int] = {}
    for name, own in now.context.space.root.items():
        value = now.best_params.get(name)
        if name in RESERVED_PARAMETERS or not isinstance(own, Int) or not isinstance(value, int):
            continue
        if not own.log or (own.hard and value >= own.high):
            continue
        high = min(value * LARGER_MODEL, own.high) if own.hard else value * LARGER_MODEL
        grown = ranged(own, value, high)
        assert isinstance(grown, Int)
        changed[name] = grown
    if not changed:
        return None
    names = ", ".join(f"{name} {each.low} to {each.high}" for name, each in changed.items())
    return Change(
        ("underfitting",),
        f"Search larger models: {names}. The training data are not fitted.",
        {name: [each.low, each.high] for name, each in changed.items()},
        _with(now, space=now.base.space.replace(**changed), unfix=tuple(changed)),
    )


def _schedule(now: Situation) -> Change | None:
    """Decay the learning rate, which re-opens it upwards."""
    if not _is_free(now, "schedule") or "schedule" in now.base.extras:
        return None
    attempt = now.num_given("schedule")
    if attempt >= len(SCHEDULES):
        return None
    schedule = SCHEDULES[attempt]
    best = now.best_params
    changes: dict[str, Any] = {"schedule": schedule}
    plan = _with(now, extras={"schedule": schedule})
    lr, own = best.get("lr"), now.context.space.root.get("lr")
    sentence = f"Decay the learning rate ({schedule}) over the run"
    if isinstance(lr, float) and isinstance(own, Float):
        top = lr * SCHEDULE_FACTORS[-1] * MARGIN
        bottom = lr / MARGIN
        exploded = now.context.learned.get("lr_too_high")
        if exploded is not None:
            top = min(top, float(exploded))
        if own.hard:
            top, bottom = min(top, own.high), max(bottom, own.low)
        rates = [
            min(max(float(f"{lr * factor:.4g}"), bottom), top)
            for factor in SCHEDULE_FACTORS
            if bottom <= lr * factor <= top
        ]
        if bottom < top:
            space = plan.space.replace(lr=ranged(own, bottom, top))
            anchor = plan.anchors[0] if plan.anchors else {}
            anchors = tuple({**anchor, "lr": each} for each in rates)
            plan = plan.model_copy(update={"space": space, "anchors": anchors})
            changes["lr"] = rates
            sentence += (
                f" and try its start at {', '.join(rate(each) for each in rates)}: the best "
                "constant rate is too low for a decayed one"
            )
    return Change(
        _made(now, ("oscillation", "lr_too_high", "overtraining", "noisy_loss")),
        f"{sentence}.",
        changes,
        plan,
    )


def _train_longer(now: Situation) -> Change | None:
    """The curves ask for more epochs, or a schedule makes use of them."""
    because = _made(now, tuple(WHY_LONGER))
    epochs = min(now.base.epochs * LONGER, MOST_EPOCHS)
    decays = "schedule" in now.base.extras
    if not (because or decays) or epochs <= now.base.epochs:
        return None
    why = WHY_LONGER[because[0]] if because else "a decayed rate profits from it"
    return Change(
        because,
        f"Train {epochs} epochs instead of {now.base.epochs}: {why}.",
        {"epochs": epochs},
        _with(now, epochs=epochs),
    )


def _more_regularisation(now: Situation) -> Change | None:
    """The gap between train and validation, answered by weight decay."""
    codes = ("overfitting", "overtraining")
    if not now.has(*codes):
        return None
    decay = now.best_params.get("weight_decay")
    if not isinstance(decay, (int, float)):
        return None
    strength = REGULARISE ** now.num_given("more_regularisation")
    start = max(float(decay), SMALLEST_WEIGHT_DECAY) * strength
    return _weight_decay(
        now, start, start * REGULARISE * MARGIN, _made(now, codes), "more", zero=False
    )


def _larger_batch(now: Situation) -> Change | None:
    """Noise from small batches, where the space has the batch size."""
    codes = ("noisy_loss", "oscillation")
    own, value = now.context.space.root.get("batch_size"), now.best_params.get("batch_size")
    if not now.has(*codes) or not isinstance(own, Int) or not isinstance(value, int):
        return None
    high = value * LARGER_BATCH
    if own.hard:
        high = min(high, own.high)
    if high <= value:
        return None
    space = now.base.space.replace(batch_size=ranged(own, value, high))
    return Change(
        _made(now, codes),
        f"Search batches of {value} to {high} samples: the loss is noisy.",
        {"batch_size": [value, high]},
        _with(now, space=space, unfix=("batch_size",)),
    )


def _search_more(now: Situation) -> Change | None:
    """Nothing to mend, but budget left: look closer around the best setting."""
    if not now.context.budget.allowed.is_limited:
        return None
    shrink = MARGIN ** (1 / (1 + now.num_given("search_more")))
    box: dict[str, Any] = {}
    for name, own in now.base.space.root.items():
        value = now.best_params.get(name)
        box[name] = own
        if isinstance(own, Float) and own.log and isinstance(value, float) and value > 0:
            low, high = value / shrink, value * shrink
            whole = now.context.space.root.get(name)
            if isinstance(whole, Float) and whole.hard:
                low, high = max(low, whole.low), min(high, whole.high)
            if low < high:
                box[name] = ranged(own, low, high)
    return Change(
        (),
        "Search closer around the best setting: the budget allows it and nothing asks for "
        "anything else.",
        {"factor": shrink},
        _with(now, space=SearchSpace(box)),
    )


CATALOGUE: tuple[Advice, ...] = (
    Advice("extend_range", _extend_range),
    Advice("warmup", _warmup),
    Advice("less_regularisation", _less_regularisation),
    Advice("larger_model", _larger_model),
    Advice("schedule", _schedule),
    Advice("train_longer", _train_longer),
    Advice("more_regularisation", _more_regularisation),
    Advice("larger_batch", _larger_batch),
    Advice("search_more", _search_more),
)
"""In the order in which they are tried. A schedule comes before regularisation, whose
strength has to be found again after it."""


def _weight_decay(
    now: Situation, low: float, high: float, because: tuple[str, ...], how: str, *, zero: bool
) -> Change | None:
    own = now.context.space.root.get("weight_decay")
    if not isinstance(own, Float):
        return None
    if own.hard:
        low, high = max(low, own.low), min(high, own.high)
    if not low < high:
        return None
    box = ranged(own, low, high).model_copy(update={"zero": own.zero and zero})
    space = now.base.space.replace(weight_decay=box)
    return Change(
        because,
        f"Try {how} weight decay, {rate(low)} to {rate(high)}.",
        {"weight_decay": [low, high]},
        _with(now, space=space, unfix=("weight_decay",)),
    )


def _with(
    now: Situation,
    *,
    space: SearchSpace | None = None,
    extras: dict[str, Any] | None = None,
    epochs: int | None = None,
    unfix: tuple[str, ...] = (),
) -> RoundPlan:
    """The base plan with one thing changed.

    The box follows the best setting, and that setting with the change is tried first: so
    the round tests the change and not only its luck in searching.
    """
    base = now.base
    space = base.space if space is None else space
    own, best = space.root.get("lr"), now.best_params
    lr = best.get("lr")
    if isinstance(own, Float) and isinstance(lr, float) and own.log:
        low, high = lr / MARGIN, lr * MARGIN
        if own.hard:
            low, high = max(low, own.low), min(high, own.high)
        if low < high and own == base.space.root.get("lr"):
            space = space.replace(lr=ranged(own, low, high))
    return RoundPlan(
        space=space,
        fixed={name: value for name, value in base.fixed.items() if name not in unfix},
        extras={**base.extras, **(extras or {})},
        epochs=base.epochs if epochs is None else epochs,
        anchors=({name: _inside(each, best[name]) for name, each in space.root.items()},)
        if all(name in best for name in space.root)
        else (),
    )


def _inside(distribution: Float | Int | Categorical, value: Any) -> ParameterValue:
    """The nearest value of a range."""
    if isinstance(distribution, Categorical) or distribution.holds(value):
        return value  # type: ignore[no-any-return]
    return min(max(value, distribution.low), distribution.high)  # type: ignore[no-any-return]


def _is_free(now: Situation, name: str) -> bool:
    """Whether the trainer's knob is the loop's to turn: neither fixed nor searched."""
    return name not in now.context.fixed and name not in now.context.space.root


def _made(now: Situation, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the codes that were found."""
    return tuple(code for code in codes if code in now.codes)
