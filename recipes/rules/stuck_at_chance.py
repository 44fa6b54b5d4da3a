"""A loss that never leaves the best constant prediction."""

from __future__ import annotations

import math

from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.evidence.overfit_sample import STUCK_SHARE, MemorisingRun, OverfitEvidence
from recipes.experiments.revising import revised
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.lr_too_low import moves_weights
from recipes.rules.noisy_labels import EXPLANATIONS, STRUCTURAL
from recipes.rules.overfit_causes import overfit_causes
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, number, rate

SOURCE = "CS231n notes; notes on diagnosis, row 3"


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_on_sample(evidence: OverfitEvidence) -> Finding | None:
    """Every finite run ends where a constant prediction stands.

    A run with another seed, where there was one, tells an unlucky start from the setting.
    """
    chance = evidence.chance
    if chance is None or not evidence.is_stuck:
        return None
    finite = [run for run in evidence.first_seed if math.isfinite(run.end_loss)]
    finding = Finding(
        code="stuck_at_chance",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"The loss stays at chance: {number(finite[0].end_loss)} against "
        f"{number(chance)} for the best constant prediction, at every learning rate tried "
        f"({listing([rate(run.lr) for run in finite])}).",
        evidence={"chance": chance, "loss": finite[0].end_loss, "threshold_share": STUCK_SHARE},
        causes=overfit_causes(evidence),
        action="Check in this order: is the loss attached to the model's outputs, do all "
        "parameters train, do inputs reach the last layer?",
        source=SOURCE,
    )
    other = evidence.other_seed
    return finding if other is None else _with_other_seed(finding, evidence, other)


def _with_other_seed(finding: Finding, evidence: OverfitEvidence, other: MemorisingRun) -> Finding:
    """The finding once the best setting has run from other weights."""
    seen: dict[str, float | str] = {
        "experiment": "other_seed",
        "loss_with_other_seed": other.end_loss,
    }
    if evidence.is_at_chance(other) or not other.end_loss < min(
        run.end_loss for run in evidence.first_seed
    ):
        return revised(
            finding,
            sentence=f"Another seed ends at {number(other.end_loss)} too (trial {other.trial}), "
            "so it is not the start.",
            confidence=0.95,
            causes={},
            evidence=seen,
        )
    seed = Cause(
        code="seed",
        sentence="The start decides: some initial weights are dead or too small to learn from.",
        confidence=0.85,
    )
    after = revised(
        finding,
        sentence=f"Another seed reaches {number(other.end_loss)} (trial {other.trial}): the "
        "setting can learn, this start could not.",
        confidence=0.9,
        causes={cause.code: cause.confidence / 2 for cause in finding.causes},
        evidence=seen,
        new_causes=(seed,),
        action="Initialise by He's rule with biases at zero (init=kaiming), or put "
        "normalisation layers between the others.",
        changes=(Adjustment(name="init", value="kaiming"),),
    )
    return after.model_copy(update={"severity": Severity.WARNING}) if evidence.passed else after


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_on_training_data(evidence: LrFinderEvidence) -> Finding | None:
    """No rate works, and step 1 already found why the model cannot learn."""
    known = [code for code in evidence.earlier if code in STRUCTURAL]
    if evidence.best is not None or not known or not moves_weights(evidence):
        return None
    if any(each(evidence) is not None for each in EXPLANATIONS):
        return None
    low, high = evidence.rates[0].lr, evidence.rates[-1].lr
    return Finding(
        code="stuck_at_chance",
        severity=Severity.ERROR,
        confidence=0.8,
        sentence=f"The loss on unseen samples gets no better than a constant guess at any "
        f"learning rate from {rate(low)} to {rate(high)}, though weights move. Step 1 found why: "
        f"{known[0]}.",
        evidence={
            "found_in_step_1": known[0],
            "largest_train_fall": evidence.largest_train_fall,
            "largest_update_ratio": evidence.largest_update_ratio,
        },
        causes=(
            Cause(code=known[0], sentence="What step 1 found is still there.", confidence=0.8),
            Cause(
                code="noisy_labels",
                sentence="Or inputs and labels are paired wrongly.",
                confidence=0.3,
            ),
        ),
        action="Mend what step 1 found, then run the study again.",
        source=SOURCE,
    )
