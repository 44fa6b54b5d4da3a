"""The other-seed rerun: is it the seed or the setting?

The same setting from other weights in another order (tuning playbook: repeat before you
believe). What one run shows and another does not is that run's luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from recipes.evidence.curves import CurveEvidence
from recipes.experiments.revising import revised
from recipes.finding import Cause, Finding
from recipes.readings import read
from recipes.value import Number, Value
from recipes.words import listing, plural

LABEL = "other_seed"

ABOUT = frozenset(
    {
        "oscillation",
        "loss_spikes",
        "flat_then_drop",
        "constant_prediction",
        "dead_relu",
        "vanishing_gradient",
    }
)
"""Findings that a single run may have by bad luck: an unlucky start (dead or flat from there),
or an unlucky order of samples."""

SEEN_AGAIN = 0.95
"""Up to which it grows where other seeds show the finding too."""

LUCK = 0.5
"""What a finding's confidence is multiplied by when no other seed shows it."""


class OtherSeed(Value):
    """The leading setting run again.

    Attributes:
        of: The trial whose finding it is about.
        runs: Trial numbers of its reruns.
        showing: Codes of findings, and how many of the reruns show each.
        value_before: The metric at the end of the first run.
        values: At the end of each rerun.
    """

    name: Literal["other_seed"] = "other_seed"
    of: int
    code: str
    runs: tuple[int, ...]
    num_showing: int
    metric: str
    value_before: Number
    values: tuple[Number, ...]

    def revise(self, finding: Finding) -> Finding:
        """A finding that one seed shows, once others were looked at."""
        if finding.code != self.code:
            return finding
        is_one = len(self.runs) == 1
        trials = f"{'trial' if is_one else 'trials'} {listing(_texts(self.runs))}"
        show = "shows" if is_one else "show"
        if 2 * self.num_showing >= len(self.runs):
            return revised(
                finding,
                sentence=f"With other seeds ({trials}) {self.num_showing} of "
                f"{plural(len(self.runs), 'run')} {show} it too, so it is the setting's and not "
                "the seed's.",
                confidence=max(finding.confidence, min(SEEN_AGAIN, 0.5 + finding.confidence / 2)),
                causes={},
                evidence=self._evidence,
            )
        luck = Cause(
            code="seed",
            sentence="This start or this order of the samples was unlucky.",
            confidence=0.7,
        )
        lower = {
            cause.code: min(cause.confidence, LUCK * cause.confidence) for cause in finding.causes
        }
        return revised(
            finding,
            sentence=f"With other seeds ({trials}) {self.num_showing} of "
            f"{plural(len(self.runs), 'run')} {show} it: it is this seed's and not the setting's.",
            confidence=LUCK * finding.confidence,
            causes=lower,
            evidence=self._evidence,
            new_causes=(luck,),
            action="Judge the setting by several seeds; if it happens again, a gentler start "
            "(warmup=0.05) or init=kaiming.",
        )

    @property
    def _evidence(self) -> dict[str, float | str]:
        return {
            "experiment": self.name,
            "num_other_seeds": len(self.runs),
            "num_other_seeds_showing": self.num_showing,
        }


def other_seed(
    reruns: Sequence[CurveEvidence], leading: CurveEvidence, code: str
) -> OtherSeed | None:
    """Read reruns; None when none of them trained as long as the first run.

    Args:
        reruns: Of the leading setting, with other seeds.
        leading: The run that shows the finding.
        code: The finding's.
    """
    whole = [each for each in reruns if each.epochs >= leading.epochs]
    if not whole:
        return None
    return OtherSeed(
        of=leading.series.number,
        code=code,
        runs=tuple(each.series.number for each in whole),
        num_showing=sum(any(found.code == code for found in read(each)) for each in whole),
        metric=leading.metric.name,
        value_before=leading.val.end,
        values=tuple(each.val.end for each in whole),
    )


def _texts(numbers: Sequence[int]) -> list[str]:
    return [str(each) for each in numbers]
