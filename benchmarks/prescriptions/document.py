"""The page of the prescriptions: every study in a table, then where it fell short."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.prescriptions.ledger import Look
from benchmarks.prescriptions.patient import LEAST_ERRORS, SEEDS, Outcome, interval
from recipes.finding import Adjustment
from recipes.words import number, rate

HEAD = "| what ails it | first findings | prescription | before | after | gain | in errors | |"
RULE = "| --- | --- | --- | --- | --- | --- | --- | --- |"

SHORTFALLS = {
    "little_data": "A run's worth is its best epoch, so the overtraining that the rules see "
    "costs nothing here, and ten times next to no weight decay is next to none. A decay of 0.01, "
    "which the run would feel, and dropout of 0.3 and 0.5 were tried on three other small sets: "
    "within noise on one, a point better on another, worse on the third. What would help is more "
    "data, which no machine can make.",
    "too_few_epochs": "Nothing warned. The loss falls fast in the first epoch and steadily after "
    "it, and `still_improving` reads from all eight that it levels off. At the first look "
    "`underfitting` warned and a wider model helped, though epochs were what had been taken "
    "away; of a regression it is a hint by now.",
    "wrong_schedule": "Nothing warned. The rate falls to 3 % of its start, where 1 % counts as "
    "spent, and the run looks like one that trains well.",
}
"""Why a study became no better, by its name: written after the twelve had been run."""

LEARNT = (
    "Only the first look is a fair one. It fell short in four studies (the high rate, little "
    "data, the initial weights, the schedule). Two of them changed the actions, by argument and "
    "by trying the same ailments on other data (`FOLLOW_UP`): a rate "
    "under which most of a layer dies, or next to nothing is learned, is divided by ten instead "
    "of decayed, for a decay begins at the same rate (of `CALIBRATION`, batches of 2 reach R² "
    "0.51 so and 0.42 with a cosine); and a sample that cannot be memorised where step 1 saw that "
    "initial weights let nothing pass asks for others, not for a wider model. More regularisation "
    "on little data did not hold on other data, and of the schedule nothing was changed. Before "
    "the first look the actions were worked on with six other "
    "studies (`CALIBRATION`, in `benchmarks/prescriptions/studies.py`); none of those shares its "
    "ailment and its data with one of the twelve."
)


def document(outcomes: Sequence[Outcome], *, looks: Sequence[Look], seed: int) -> str:
    """The page.

    Args:
        outcomes: One a study.
        looks: How often they were looked at, this time counted in.
        seed: All seeds of the runs follow from it.
    """
    helped = sum(each.is_better for each in outcomes)
    return "\n".join(
        [
            "# Do the prescriptions work?",
            "",
            f"{len(outcomes)} small studies were made sick in a known way before anything was "
            f"measured. Each ran with {SEEDS} seeds, was diagnosed by steps 1 to 3 and 6, and "
            "the first change that a warning or an error names was made by the machine, as it "
            f"is told; then it ran with {SEEDS} new seeds. Nobody chose anything in between. "
            f"It counts as better when the means differ by more than {number(LEAST_ERRORS)} "
            "pooled standard errors between seeds. Values are the metric on validation at a "
            "run's best epoch, as the product counts a setting's worth; a run that exploded "
            "counts as the untrained model. ± is half of the mean's 95 % interval.",
            "",
            f"**{helped} of {len(outcomes)} became better by more than noise.**",
            "",
            HEAD,
            RULE,
            *(row(each) for each in outcomes),
            "",
            *_shortfalls(outcomes),
            *_looks(looks),
            f"`make bench-prescriptions` makes this page again (seed {seed}).",
            "",
        ]
    )


def _shortfalls(outcomes: Sequence[Outcome]) -> list[str]:
    """What went wrong, where it is known."""
    lines = [
        f"- **{each.study.ailment}**: {SHORTFALLS[each.study.name]}"
        for each in outcomes
        if not each.is_better and each.study.name in SHORTFALLS
    ]
    return ["## Where it fell short", "", *lines, ""] if lines else []


def _looks(looks: Sequence[Look]) -> list[str]:
    """How often the studies were looked at, and what that makes of the count."""
    return [
        "## How often they were looked at",
        "",
        *(f"{at}. {each.reason}: {each.num_better} better." for at, each in enumerate(looks, 1)),
        "",
        LEARNT,
        "",
    ]


def row(outcome: Outcome) -> str:
    """One line of the table."""
    codes = [f"`{each.code}`" for each in outcome.findings[:3]] or ["none"]
    prescription = "no change that a machine can make"
    if outcome.prescription is not None:
        told = outcome.prescription.changes
        prescription = f"`{outcome.prescription.code}`: {', '.join(map(_words, told))}"
    after, gain, errors = "", "", ""
    if outcome.after:
        after = _mean(outcome.after)
        gain = f"{outcome.gain:+.3f}"
        errors = f"{outcome.gain / outcome.error:+.1f}" if outcome.error > 0 else "no spread"
    verdict = "**better**" if outcome.is_better else "no"
    cells = (
        f"{outcome.study.ailment} ({type(outcome.study.task()).__name__})",
        ", ".join(codes),
        prescription,
        f"{outcome.metric} {_mean(outcome.before)}",
        after,
        gain,
        errors,
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _mean(values: tuple[float, ...]) -> str:
    return f"{sum(values) / len(values):.3f} ± {interval(values):.3f}"


def _words(change: Adjustment) -> str:
    name = change.name.replace("_", " ")
    if change.value is not None:
        return f"{name} = {change.value}"
    assert change.factor is not None
    least = "" if change.least is None else f", at least {rate(change.least)}"
    return f"{name} × {number(change.factor)}{least}"
