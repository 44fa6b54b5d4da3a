"""How results read in a terminal: a value with its error, a setting, the commands to type."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.result import Best, Compared, TestResult
from recipes.space import ParameterValue
from recipes.words import number, plural

if TYPE_CHECKING:
    from service.settings import Settings


def estimate(value: float, standard_error: float) -> str:
    """A value with its standard error, which has two digits: ``0.9712 ± 0.0043``."""
    if not math.isfinite(value):
        return number(value)
    if not (math.isfinite(standard_error) and standard_error > 0):
        return f"{value:.4g}"
    decimals = min(8, max(0, 1 - math.floor(math.log10(standard_error))))
    return f"{value:.{decimals}f} ± {standard_error:.{decimals}f}"


def setting(params: Mapping[str, ParameterValue]) -> str:
    """A setting to read and to copy: ``lr=0.03142, hidden=128``, four digits as on the pages.

    A number has no thousands separators: :option:`--incumbent` and ``--set`` take it back.
    """
    return ", ".join(f"{name}={_value(value)}" for name, value in params.items())


def _value(value: ParameterValue) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4g}"


def best_value(best: Best) -> str:
    """The best value with its error, and how many settings it is the best of."""
    parts = [f"best of {plural(best.num_candidates, 'setting')}"]
    if best.num_seeds > 1:
        parts.insert(0, f"mean of {best.num_seeds} seeds")
    said = f"{best.metric} {estimate(best.value, best.standard_error)} on {best.n:,} samples"
    return f"{said}, {', '.join(parts)}"


def tied(best: Best) -> str:
    """Which settings cannot be told apart from the best; empty when there is none."""
    others = [trial for trial in best.tied if trial != best.trial]
    if not others:
        return ""
    named = ", ".join(map(str, others[:5])) + (", ..." if len(others) > 5 else "")
    return f"Not to be told apart from it: {plural(len(others), 'setting')} (trial {named})."


def incumbent(found: Compared) -> str:
    """The incumbent beside the best."""
    return (
        f"Your present setting ({setting(found.params)}): "
        f"{estimate(found.value, found.standard_error)}. {found.sentence}"
    )


def test_value(found: TestResult) -> str:
    """The test split's value, and the average's and the incumbent's where there are some."""
    said = f"{found.metric} {estimate(found.value, found.standard_error)} on {found.n:,} samples"
    if found.num_seeds > 1:
        said += f", mean of {found.num_seeds} seeds"
    if found.average_value is not None:
        error = math.nan if found.average_standard_error is None else found.average_standard_error
        of = f"{len(found.average_of)} models" if found.average_of else "the models"
        said += f"; average of {of}: {estimate(found.average_value, error)}"
    if found.incumbent_value is not None:
        said += f"; your present setting: {found.incumbent_value:.4g}"
    if found.seen:
        said += ". The test samples had been looked at before the last rounds"
    return said


def data_dir_option(settings: Settings) -> str:
    """`` --data-dir PATH`` as a command needs it to find these data; empty for the default."""
    from service.errors import DataDirError
    from service.settings import default_data_dir

    try:
        is_default = settings.data_dir == default_data_dir()
    except DataDirError:
        is_default = False
    folder = Path(settings.data_dir).absolute()
    return "" if is_default else f" --data-dir {shlex.quote(str(folder))}"


def serve_command(settings: Settings, task: str) -> str:
    """The command under which a study of ``task`` goes on."""
    files = "" if _is_built_in(task) else " --allow-task-files"
    return f"sevenstep serve{files}{data_dir_option(settings)}"


def _is_built_in(task: str) -> bool:
    from service.use_cases.task_policy import BUILT_IN

    return BUILT_IN.fullmatch(task) is not None
