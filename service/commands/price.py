"""``run --plan``: what would run and what it costs, with nothing created."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from recipes.pricing import StepPrice, price
from recipes.words import number, plural
from service.commands.console import fail
from service.commands.serve import num_slots
from service.commands.task_option import describe_task, study_config
from service.views.budget_text import budget_words
from service.views.format import STEP_NAMES, duration

if TYPE_CHECKING:
    from recipes.fusing import Fusing
    from recipes.study import StudyConfig
    from recipes.timing import Timing
    from service.commands.options import RunOptions


def say_price(options: RunOptions) -> None:
    """Describe the task, train it for a few seconds, and print what its study would cost."""
    description, timing = describe_task(options, time=True)
    config = study_config(options, description)
    if timing is None:
        fail("the worker half of this installation measured no time; it is another release")
    slots = num_slots(options.slots) or timing.slots
    prices = price(description, config, timing.seconds_per_epoch, slots)
    fusing = description.fusing
    if options.as_json:
        typer.echo(json.dumps(_document(config, timing, slots, fusing, prices), indent=2))
    else:
        for line in price_lines(config, timing, slots, prices, fusing):
            typer.echo(line)


def price_lines(
    config: StudyConfig,
    timing: Timing,
    slots: int,
    prices: Sequence[StepPrice],
    fusing: Fusing | None = None,
) -> list[str]:
    """The prices as a table, with what was measured and what is assumed."""
    whole = (
        "trained whole"
        if timing.measured_epochs >= 1
        else f"scaled up from {number(timing.measured_epochs)} of an epoch"
    )
    at_a_time = f"{plural(slots, 'trial')} at a time"
    if fusing is not None and fusing.chunk > 1:
        at_a_time = f"{plural(slots, 'slot')}, up to {fusing.chunk} trials together on each"
    lines = [
        f"{number(timing.seconds_per_epoch)} s an epoch at the middle of the space on"
        f" {timing.device}, {whole}; {at_a_time}; budget:"
        f" {budget_words(config.budget)}. Assumed: every trial takes as long an epoch, no range"
        " is widened, and nothing else uses this machine.",
        f"{'step':<29} {'trials':>7} {'epochs':>8} {'time':>12}",
    ]
    for each in prices:
        name = f"{each.number} {STEP_NAMES[each.number].lower()}"
        lines.append(
            f"{name:<29} {each.trials:>7,} {each.epochs:>8,.0f} {duration(each.seconds):>12}"
        )
        lines.append(f"  {each.sentence}")
    trials, epochs, seconds = _totals(prices)
    lines.append(f"{'all':<29} {trials:>7,} {epochs:>8,.0f} {duration(seconds):>12}")
    lines.append("Nothing was created.")
    return lines


def _document(
    config: StudyConfig,
    timing: Timing,
    slots: int,
    fusing: Fusing,
    prices: Sequence[StepPrice],
) -> dict[str, object]:
    trials, epochs, seconds = _totals(prices)
    return {
        "config": config.model_dump(mode="json"),
        "timing": timing.model_dump(mode="json"),
        "slots": slots,
        "fusing": fusing.model_dump(mode="json"),
        "steps": [
            {
                "number": each.number,
                "kind": each.kind,
                "trials": each.trials,
                "epochs": each.epochs,
                "seconds": each.seconds,
                "sentence": each.sentence,
            }
            for each in prices
        ],
        "trials": trials,
        "epochs": epochs,
        "seconds": seconds,
    }


def _totals(prices: Sequence[StepPrice]) -> tuple[int, float, float]:
    return (
        sum(each.trials for each in prices),
        float(sum(each.epochs for each in prices)),
        float(sum(each.seconds for each in prices)),
    )
