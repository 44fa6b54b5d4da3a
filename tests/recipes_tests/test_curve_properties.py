"""Whatever a run measured, reading it gives findings and never an error."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, LEARNING_RATE, STALE_GRADIENT, Curve
from recipes.evidence.lr_drop import lr_drop
from recipes.evidence.trial_series import trial_series
from recipes.finding import Severity
from recipes.metric import Metric
from recipes.outcome import ModeLosses
from recipes.readings import read
from recipes.rules.registry import all_rules
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import description, regression, targets
from tests.recipes_tests.curve_builders import evidence, read_trial

ANYTHING = st.floats(allow_nan=True, allow_infinity=True)
SHARES = st.floats(0, 1)
ORDINARY = st.floats(1e-6, 10)
LOSSES = st.one_of(st.lists(ANYTHING, max_size=30), st.lists(ORDINARY, max_size=30))
TASKS = st.sampled_from(
    [
        description(),
        description(has_batch_norm=True, targets=targets(class_counts=(980, 1, 19, *[0] * 7))),
        description(kind="binary", num_classes=None),
        description(kind="custom", num_classes=None, metric="loss", direction="minimize"),
        regression(),
    ]
)
ENDS = st.sampled_from(
    [
        (TrialState.COMPLETE, TrialCause.FINISHED),
        (TrialState.COMPLETE, TrialCause.DIVERGED),
        (TrialState.COMPLETE, TrialCause.NON_FINITE),
        (TrialState.PRUNED, TrialCause.EARLY_DISCARD),
        (TrialState.WAITING, None),
    ]
)


@st.composite
def trials(draw, number=0):
    """A trial whose every number was drawn."""
    state, cause = draw(ENDS)
    metric = draw(st.sampled_from(["accuracy", "r2", "f1"]))
    scores = st.lists(SHARES if metric == "accuracy" else ANYTHING, max_size=30)
    long = draw(st.integers(0, 120))
    trial = read_trial(
        number,
        train_loss=draw(LOSSES),
        val_loss=draw(LOSSES),
        train=draw(scores),
        val=draw(scores),
        metric=metric,
        n_train=draw(st.integers(1, 3_000)),
        n_val=draw(st.integers(1, 3_000)),
        losses=[*draw(LOSSES), *draw(st.lists(ORDINARY, min_size=long, max_size=long))],
        ratio=draw(ANYTHING),
        params={
            "lr": draw(st.floats(1e-8, 10)),
            "schedule": draw(st.sampled_from(["constant", "cosine"])),
            "warmup": draw(st.floats(0, 100)),
            "dropout": draw(SHARES),
            "batch_size": draw(st.integers(1, 64)),
        },
        state=state,
        cause=cause,
        dead_share=draw(st.none() | SHARES),
        saturated_share=draw(st.none() | SHARES),
        mode_losses=draw(
            st.none()
            | st.builds(
                ModeLosses,
                train=ANYTHING,
                eval=ANYTHING,
                eval_again=ANYTHING,
                n=st.integers(2, 256),
            )
        ),
    )
    sampled = draw(
        st.dictionaries(
            st.sampled_from(
                ["gradient_norm", FIRST_GRADIENT, LAST_GRADIENT, STALE_GRADIENT, LEARNING_RATE]
            ),
            LOSSES,
        )
    )
    curves = {
        (name, "train"): Curve(tuple(range(len(values))), tuple(values))
        for name, values in sampled.items()
    }
    return replace(trial, curves={**trial.curves, **curves})


@settings(deadline=None, max_examples=150)
@given(trial=trials(), peer=trials(1), task=TASKS)
def test_any_run_can_be_read(trial, peer, task):
    found = read(evidence(trial, peers=[peer], task=task))

    assert found
    known = {rule.code for rule in all_rules()}
    for each in found:
        assert each.code in known
        assert each.model_dump_json()
        assert each.sentence
    notes = [each.code for each in found if each.code in ("healthy", "inconclusive")]
    warned = any(each.severity is not Severity.INFO for each in found)
    assert len(notes) == (0 if warned else 1)


@settings(deadline=None, max_examples=50)
@given(trial=trials(), probe=trials(1))
def test_any_probe_can_be_read(trial, probe):
    metric = Metric(name="accuracy", maximise=True)
    drop = lr_drop(trial_series(probe), trial_series(trial), noise=0.01, metric=metric)

    if drop is None:
        return
    assert drop.confirms in (True, False)
    assert drop.threshold >= 0 or math.isnan(drop.threshold)
    assert read(evidence(trial, lr_drop=drop))
