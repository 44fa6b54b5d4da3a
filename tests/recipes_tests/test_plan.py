import pytest

from recipes.plan import MAX_PASSES, STEPS, next_step
from recipes.rules.registry import all_rules
from recipes.step import Action, StepKind, StepReport, StepState
from recipes.study import LAST_STEP


def report(number, verdict=StepState.PASSED, *, pass_number=1, action=None):
    kind = list(StepKind)[number - 1]
    return StepReport(
        number=number,
        kind=kind,
        round=1,
        pass_number=pass_number,
        state=verdict,
        verdict=verdict,
        sentence="why",
        action=Action(kind=action, sentence="wider") if action else None,
    )


def test_the_steps_stand_under_their_numbers():
    assert {number: step.kind.number for number, step in STEPS.items()} == {1: 1, 2: 2, 3: 3}


@pytest.mark.parametrize(
    ("steps", "history", "kind", "number", "pass_number"),
    [
        ((1, 2, 3), [], "run", 1, 1),
        ((3,), [], "run", 3, 1),
        ((1, 2, 3), [report(1)], "run", 2, 1),
        ((1, 2, 3), [report(1, StepState.WARNING)], "run", 2, 1),
        ((1, 2, 3), [report(1, StepState.FAILED)], "needs_action", None, 1),
        ((1, 2), [report(1), report(2)], "complete", None, 1),
        ((1, 2, 3), [report(3, action="widen")], "run", 3, 2),
        ((1, 2, 3), [report(3, action="widen", pass_number=MAX_PASSES)], "complete", None, 1),
        ((1, 2, 3), [report(3, action="continue")], "complete", None, 1),
    ],
    ids=["begin", "alone", "next", "warning", "gate", "end", "wider", "bounded", "continue"],
)
def test_what_follows(steps, history, kind, number, pass_number):
    following = next_step(steps, history)

    assert (following.kind, following.number, following.pass_number) == (kind, number, pass_number)
    assert following.reason


def test_every_rule_has_a_code_and_says_what_it_looks_for():
    assert len(all_rules()) >= 18
    assert all(rule.check.__doc__ for rule in all_rules())


def test_a_study_may_ask_for_the_steps_there_are():
    assert list(STEPS) == list(range(1, LAST_STEP + 1))
