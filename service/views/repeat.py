"""How a study is had again: the command, the seed, and the versions that ran it."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence

from recipes.space import Categorical, Distribution, ParameterValue
from recipes.study import StudyConfig
from service.version import VERSION
from service.views.budget_text import budget_text
from service.views.models import Repeat

DEFAULTS = StudyConfig(name="default", task="digits")


def repeat(config: StudyConfig, *, digest: str | None, workers: Sequence[str]) -> Repeat:
    """How to get a study again.

    Args:
        config: What was asked for.
        digest: Of the task's code.
        workers: Versions of the workers that trained for it.
    """
    return Repeat(
        command=command(config),
        config=config,
        seed=config.seed,
        digest=digest,
        versions={
            "sevenstep": VERSION,
            "python": platform.python_version(),
            "workers": ", ".join(sorted(set(workers))) or "none yet",
        },
    )


def command(config: StudyConfig) -> str:
    """The shell command that makes an equal study.

    Choices that replace a task's own, and how the searches are carried out, have no option:
    where the study has such, the ``config`` beside the command is to be posted instead.
    """
    words = ["sevenstep", "run", config.task]
    for name, value in config.task_args.items():
        words += ["--arg", f"{name}={_text(value)}"]
    for name, value in config.set.items():
        words += ["--set", f"{name}={_text(value)}"]
    for name, distribution in config.space.root.items():
        words += _range(name, distribution)
    if config.incumbent:
        setting = ",".join(f"{name}={_text(value)}" for name, value in config.incumbent.items())
        words += ["--incumbent", setting]
    words += ["--seed", str(config.seed)]
    if config.budget.is_limited:
        words += ["--budget", budget_text(config.budget)]
    if config.steps != DEFAULTS.steps:
        words += ["--steps", ",".join(map(str, config.steps))]
    if config.max_rounds is not None:
        words += ["--max-rounds", str(config.max_rounds)]
    if not config.autopilot:
        words.append("--no-autopilot")
    return shlex.join(words)


def _range(name: str, distribution: Distribution) -> list[str]:
    if isinstance(distribution, Categorical):
        return []
    return ["--set", f"{name}={_text(distribution.low)}..{_text(distribution.high)}"]


def _text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
