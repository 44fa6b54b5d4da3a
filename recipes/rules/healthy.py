"""Nothing is wrong, as far as can be told: a claim that names what could have been found."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.study_curves import JudgedCurves, has_finished
from recipes.evidence.sufficiency import NEEDS, is_enough, missing
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, plural

SOURCE = "method.md, finding codes: healthy is a claim too"

NEED_ACCURACY = ("val_below_chance", "constant_prediction")
"""Rules on right and wrong answers."""

NEED_CONSTANT_RATE = ("still_improving", "lr_too_high")
"""Rules that do not speak under a decayed learning rate."""

TOO_SHORT = Cause(
    code="too_short", sentence="The run is too short to show a fault.", confidence=0.8
)
NOT_MEASURED = Cause(
    code="not_measured", sentence="What would show a fault was not measured.", confidence=0.8
)


@rule("healthy", Precedence.NOTE)
def healthy(judged: JudgedCurves) -> Finding | None:
    """No rule warned, and those that judge fit, noise and length had enough data to."""
    evidence = judged.curves
    if _warned(judged) or lacking(evidence):
        return None
    able = [code for code in NEEDS if is_enough(code, evidence) and _speaks(code, evidence)]
    metric = evidence.metric
    return Finding(
        code="healthy",
        severity=Severity.INFO,
        confidence=0.8,
        sentence=f"Healthy over {plural(evidence.epochs, 'epoch')}: {metric.label} "
        f"{metric.text(evidence.train.end)} on training samples and "
        f"{metric.text(evidence.val.end, evidence.val.end_error)} on validation, best at epoch "
        f"{evidence.best_epoch}; {plural(len(able), 'rule')} had enough data to object and did "
        f"not ({', '.join(map(_words, able))}).",
        evidence={
            "train": evidence.train.end,
            "val": evidence.val.end,
            "standard_error": evidence.val.end_error,
            "gap": evidence.gap,
            "best_epoch": evidence.best_epoch,
            "epochs": evidence.epochs,
            "num_rules": len(able),
            "rules": ", ".join(able),
        },
        action="Keep the setting; more is to be had from data, augmentation or a larger model.",
        source=SOURCE,
    )


@rule("inconclusive", Precedence.NOTE)
def inconclusive(judged: JudgedCurves) -> Finding | None:
    """No rule warned, but some of those that judge fit, noise and length could not have."""
    evidence = judged.curves
    lacks = lacking(evidence)
    if _warned(judged) or not lacks:
        return None
    details = _details(lacks)
    is_short = max(evidence.epochs, len(evidence.train_loss)) < _epochs_wanted()
    return Finding(
        code="inconclusive",
        severity=Severity.INFO,
        confidence=0.9,
        sentence=f"Nothing stands out after {plural(evidence.epochs, 'epoch')}, but that says "
        f"little: {listing(details, most=5)}.",
        evidence={"epochs": evidence.epochs, "lacking": ", ".join(lacks)},
        causes=(TOO_SHORT if is_short else NOT_MEASURED,),
        action=f"Train this setting for {_epochs_wanted()} epochs or more before trusting it."
        if is_short
        else f"It is long enough: measure what is missing, {listing(list(_wanted(lacks)))}, and "
        "look again.",
        source=SOURCE,
    )


def lacking(evidence: CurveEvidence) -> dict[str, str]:
    """What is missing for ``healthy`` to mean something, by rule; empty when nothing is."""
    if not has_finished(evidence):
        return {code: "a run that finished" for code, need in NEEDS.items() if need.for_health}
    checked = {code: missing(code, evidence) for code, need in NEEDS.items() if need.for_health}
    return {code: what for code, what in checked.items() if what is not None}


def _warned(judged: JudgedCurves) -> bool:
    return any(finding.severity is not Severity.INFO for finding in judged.found)


def _speaks(code: str, evidence: CurveEvidence) -> bool:
    if evidence.is_decayed and code in NEED_CONSTANT_RATE:
        return False
    return evidence.metric.name == "accuracy" or code not in NEED_ACCURACY


def _epochs_wanted() -> int:
    return max(need.epochs for need in NEEDS.values())


def _wanted(lacks: Mapping[str, str]) -> dict[str, list[str]]:
    """The codes that each missing thing would let speak."""
    wanted: dict[str, list[str]] = {}
    for code, what in lacks.items():
        wanted.setdefault(what, []).append(_words(code))
    return wanted


def _details(lacks: Mapping[str, str]) -> list[str]:
    return [
        f"{listing(codes, most=5)} {'needs' if len(codes) == 1 else 'need'} {what}"
        for what, codes in _wanted(lacks).items()
    ]


def _words(code: str) -> str:
    """A code as people read it; the evidence keeps it as it is."""
    return code.replace("_", " ")
