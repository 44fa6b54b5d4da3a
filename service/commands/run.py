"""``run``, ``check``, ``lr-find`` and ``demo``: one study from a command line to its verdicts."""

from __future__ import annotations

import typer

from service.commands.console import settings_of
from service.commands.options import (
    CheckOptions,
    HereOptions,
    RunOptions,
    TaskOptions,
    taking,
)
from service.commands.task_option import (
    check_options,
    describe_task,
    leaves_all_to_the_task,
    study_config,
)
from service.version import VERSION

CHECK_STEPS = (1, 2)
LR_FIND_STEPS = (1, 2, 3)
EXIT_INTERRUPTED = 130


@taking(RunOptions)
def run(options: RunOptions) -> None:
    """Carry out the recipe on a task: seven steps, each with its verdict.

    Exit code 0: completed; 3: it needs you; 1: an error; 2: wrong usage.
    """
    if options.plan:
        from service.commands.price import say_price

        _check(options)
        _greet(options)
        say_price(options)
        return
    _begin(options)


@taking(CheckOptions)
def check(options: CheckOptions) -> None:
    """Check a task: its data, its initial loss, and that it can overfit a small sample."""
    _begin(options, steps=CHECK_STEPS)


@taking(CheckOptions)
def lr_find(options: CheckOptions) -> None:
    """Find the learning rates that make a task's loss fall: steps 1 to 3."""
    _begin(options, steps=LR_FIND_STEPS)


@taking(HereOptions)
def demo(options: HereOptions) -> None:
    """Run the whole recipe on handwritten digits, and see its verdicts and its pages."""
    given = {name: getattr(options, name) for name in HereOptions.__dataclass_fields__}
    _begin(RunOptions(task="digits", name="demo", **given))


def _begin(options: RunOptions | CheckOptions, steps: tuple[int, ...] | None = None) -> None:
    """Carry out a study. The task is loaded first, so that one that cannot be used makes none.

    Where a service is up, its worker has torch loaded and looks at the task as soon as the
    study is there: to load everything here first would keep the study waiting for seconds.
    """
    _check(options)
    _greet(options)
    from service.commands.carry_out import carry_out
    from service.commands.launch import running

    try:
        settings = settings_of(data_dir=options.data_dir)
        is_described_there = leaves_all_to_the_task(options) and running(settings) is not None
        description = None if is_described_there else describe_task(options)[0]
        config = study_config(options, description, steps=steps)
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. No study was created.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    code = carry_out(config, settings, options)
    if code:
        raise typer.Exit(code)


def _check(options: RunOptions | CheckOptions) -> None:
    """Refuse what can be refused before anything is loaded."""
    from service.commands.serve import num_slots

    num_slots(options.slots)
    check_options(options)


def _greet(options: TaskOptions | HereOptions) -> None:
    """Something at once: loading torch takes seconds."""
    is_json = isinstance(options, HereOptions) and options.as_json
    task = options.task if isinstance(options, TaskOptions) else ""
    typer.echo(f"Sevenstep {VERSION} looks at {task}.", err=is_json)
