import pytest

from recipes.plan import MAX_PASSES, STEPS, next_step
from recipes.rules.registry import all_rules
from recipes.step import Action, StepKind, StepReport, StepState
from recipes.study import LAST_STEP, StudyConfig

ALL = tuple(range(1, LAST_STEP + 1))


def report(number, verdict=StepState.PASSED, *, pass_number=1, action=None, **fields):
    kind = list(StepKind)[number - 1]
    return StepReport(
        **{
            "number": number,
            "kind": kind,
            "round": 1,
            "pass_number": pass_number,
            "state": verdict,
            "verdict": verdict,
            "sentence": "why",
            "action": Action(kind=action, sentence="wider") if action else None,
            **fields,
        }
    )


def config(steps=ALL, **fields):
    return StudyConfig(name="study", task="digits", steps=steps, **fields)


def test_the_steps_stand_under_their_numbers():
    assert {number: step.kind.number for number, step in STEPS.items()} == {
        number: number for number in ALL
    }


PASSES = [report(3, action="widen", pass_number=at + 1) for at in range(MAX_PASSES)]


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
        ((1, 2, 3), PASSES, "complete", None, 1),
        ((1, 2, 3), [report(3, action="continue")], "complete", None, 1),
        (ALL, [report(4, StepState.FAILED)], "needs_action", None, 1),
        (ALL, [report(4, StepState.INCONCLUSIVE)], "run", 5, 1),
        (ALL, [report(6, StepState.FAILED)], "run", 7, 1),
        (ALL, [report(7)], "complete", None, 1),
    ],
    ids=[
        "begin",
        "alone",
        "next",
        "warning",
        "gate",
        "end",
        "wider",
        "bounded",
        "continue",
        "nothing found",
        "cut short",
        "curves are no gate",
        "the last",
    ],
)
def test_what_follows(steps, history, kind, number, pass_number):
    following = next_step(config(steps), history)

    assert (following.kind, following.number, following.pass_number) == (kind, number, pass_number)
    assert following.reason


def test_a_change_begins_another_round_at_step_five():
    following = next_step(config(), [report(7, action="loop")])
    assert (following.kind, following.number, following.round) == ("run", 5, 2)


def test_a_change_without_a_step_five_to_test_it_ends_the_study():
    assert next_step(config((7,)), [report(7, action="loop")]).kind == "complete"


@pytest.mark.parametrize("action", ["widen", "loop"])
def test_without_autopilot_a_decision_waits_for_a_person(action):
    number = 7 if action == "loop" else 4
    asking = config(autopilot=False)
    following = next_step(asking, [report(number, action=action)])
    assert (following.kind, following.reason) == ("needs_action", "wider")
    assert next_step(asking, [report(number, action=action, accepted=True)]).kind == "run"


def test_a_skipped_gate_lets_the_study_go_on():
    failed = report(2, StepState.FAILED, skip_reason="known")
    skipped = failed.model_copy(update={"state": StepState.SKIPPED})
    assert next_step(config(), [skipped]).number == 3


def test_a_skipped_change_brings_the_study_to_its_end():
    skipped = report(7, action="loop").model_copy(update={"state": StepState.SKIPPED})
    following = next_step(config(), [skipped])
    assert (following.kind, following.number, following.pass_number) == ("run", 7, 2)


def test_a_study_says_why_it_ended():
    ended = report(7, learned={"stop_reason": "budget"})
    assert next_step(config(), [ended]).reason == "budget"


def test_every_rule_has_a_code_and_says_what_it_looks_for():
    assert len(all_rules()) >= 30
    assert all(rule.check.__doc__ for rule in all_rules())


def test_a_study_may_ask_for_the_steps_there_are():
    assert list(STEPS) == list(range(1, LAST_STEP + 1))
