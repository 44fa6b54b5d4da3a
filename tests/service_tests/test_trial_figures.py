from __future__ import annotations

import math

from service.pages.trial_figures import trial_figures
from service.views.models import CurvesView, CurveView


def curve(metric: str, split: str, *values: float) -> CurveView:
    return CurveView(
        metric=metric, split=split, iterations=tuple(range(len(values))), values=values
    )


def test_training_and_evaluation_share_a_figure_loss_first() -> None:
    curves = CurvesView(
        trial=0,
        curves=(
            curve("accuracy", "train", 0.1, 0.9),
            curve("eval_loss", "val", 2.3, 0.7),
            curve("eval_loss", "train", 2.3, 0.5),
            curve("loss", "train", 2.3, 0.4),
        ),
    )
    loss, accuracy = trial_figures(curves)
    assert [series.name for series in loss.series] == [
        "train",
        "train, evaluated",
        "val, evaluated",
    ]
    assert [series.role for series in loss.series] == ["train", "muted", "val"]
    assert loss.summary.startswith("Train from 2.3 to 0.4")
    assert accuracy.name == "accuracy"


def test_curves_of_layers_share_the_figure_of_their_metric() -> None:
    curves = CurvesView(
        trial=0,
        curves=(
            curve("update_ratio/fc1.weight", "train", 1e-5, 1e-3),
            curve("update_ratio", "train", 1e-4, 1e-2),
        ),
    )
    (figure,) = trial_figures(curves)
    assert figure.y_log
    assert {series.name for series in figure.series} == {"train", "fc1.weight"}


def test_a_curve_without_a_finite_value_is_still_a_figure() -> None:
    curves = CurvesView(trial=0, curves=(curve("loss", "train", math.nan, math.inf),))
    (figure,) = trial_figures(curves)
    assert not figure.y_log
    assert "NaN" in figure.summary
