"""Use cases on steps: what each run concluded, and what a person decides on it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from recipes.step import StepReport, StepState
from recipes.study import StudyState
from service.database.models import StepRun, Study
from service.database.statements import plain_text
from service.errors import InvalidInput, InvalidState, NotFound
from service.repositories import step_runs, studies
from service.streams import cursors, events
from service.use_cases import rerun as reruns
from service.use_cases.verbs import Verb, refusal
from service.views.models import StepPage, StepView, StudyView
from service.views.step_views import step_views
from service.views.study_views import situation, view

MAX_REASON = 1000
"""Characters of the reason for skipping a step."""


def steps(session: Session, uid: str, *, origin: str | None = None) -> list[StepView]:
    """The runs of a study's steps, oldest first.

    Args:
        session: Any session.
        uid: The study.
        origin: How the service is reached, for the commands of actions; None: without them.

    Raises:
        NotFound: There is no such study.
    """
    study = studies.require(session, uid)
    runs = step_runs.of_study(session, study.id)
    return step_views(session, study, runs, runs, origin=origin)


def step_page(
    session: Session, uid: str, *, limit: int, cursor: str | None, origin: str | None = None
) -> StepPage:
    """A page of the same.

    Raises:
        NotFound: There is no such study.
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    after = cursors.decode("steps", cursor) or 0
    study = studies.require(session, uid)
    runs = step_runs.of_study(session, study.id)
    left = [run for run in runs if run.id > after]
    shown = left[:limit]
    return StepPage(
        items=tuple(step_views(session, study, runs, shown, origin=origin)),
        next_cursor=cursors.encode("steps", shown[-1].id) if len(left) > limit else None,
    )


def step(
    session: Session,
    uid: str,
    number: int,
    *,
    round: int | None = None,
    pass_number: int | None = None,
    origin: str | None = None,
) -> StepView:
    """A run of a step: the latest one, or that of a round and pass.

    Raises:
        NotFound: There is no such study, or the step had no such run.
    """
    study = studies.require(session, uid)
    runs = step_runs.of_study(session, study.id)
    matching = [run for run in runs if _is_it(run, number, round, pass_number)]
    if not matching:
        raise NotFound("run of step", number)
    return step_views(session, study, runs, matching[-1:], origin=origin)[0]


def accept(
    session: Session,
    uid: str,
    number: int,
    *,
    round: int | None = None,
    pass_number: int | None = None,
) -> StudyView:
    """Apply the action that a step offers and the study waits with.

    Accepting what was accepted changes nothing. Whoever names round and pass too is safe
    from accepting another run's action when the answer to the first request was lost.

    Raises:
        NotFound: There is no such study.
        InvalidState: The study does not wait for this, or the action is a person's own.
    """
    study = studies.require(session, uid, lock=True)
    runs = step_runs.of_study(session, study.id)
    named = [run for run in runs if _is_it(run, number, round, pass_number)]
    if _was_decided(study, [run for run in named if step_runs.view(run).accepted], round):
        return view(session, study)
    run = _waited_for(study, runs, "accept", number, round, pass_number)
    report = step_runs.view(run).model_copy(update={"accepted": True})
    return _decide(session, study, run, report)


def skip(
    session: Session,
    uid: str,
    number: int,
    *,
    reason: str,
    round: int | None = None,
    pass_number: int | None = None,
) -> StudyView:
    """Go on without what a step asks for. The reason stays in its report.

    What the step learned is kept, and steps fall back on defaults for what it did not.
    Skipping what was skipped changes nothing.

    Raises:
        NotFound: There is no such study.
        InvalidInput: The reason is empty or too long.
        InvalidState: The study does not wait at this step.
    """
    text = (plain_text(reason) or "").strip()
    if not 1 <= len(text) <= MAX_REASON:
        raise InvalidInput(
            "reason", text[:40], f"say in 1 to {MAX_REASON} characters why the step is skipped"
        )
    study = studies.require(session, uid, lock=True)
    runs = step_runs.of_study(session, study.id)
    named = [run for run in runs if _is_it(run, number, round, pass_number)]
    if _was_decided(study, [run for run in named if run.state is StepState.SKIPPED], round):
        return view(session, study)
    run = _waited_for(study, runs, "skip", number, round, pass_number)
    report = step_runs.view(run).model_copy(
        update={"state": StepState.SKIPPED, "skip_reason": text}
    )
    return _decide(session, study, run, report)


def rerun(session: Session, uid: str, number: int) -> StudyView:
    """Describe the task again, since it was changed, and go on from this step.

    Once a worker has described it, every run of this step and all that came after become
    stale. What is under way stops now. A task that cannot be used leaves the study waiting
    for another change. Asking again while it is described changes nothing.

    Raises:
        NotFound: There is no such study.
        InvalidState: The study has ended, or this step has not run.
    """
    study = studies.require(session, uid, lock=True)
    runs = step_runs.of_study(session, study.id)
    _refuse_unless_possible(study, runs, "rerun", number)
    if study.rerun_from is None:
        first = next(
            run for run in runs if run.number == number and run.state is not StepState.STALE
        )
        reruns.begin(session, study, first)
        session.refresh(study)
    return view(session, study)


def _waited_for(
    study: Study,
    runs: Sequence[StepRun],
    verb: Verb,
    number: int,
    round: int | None,
    pass_number: int | None,
) -> StepRun:
    """The run whose report the study waits with, if it is the one that was named."""
    _refuse_unless_possible(study, runs, verb, number)
    run = next(
        run
        for run in reversed(runs)
        if run.report is not None and run.state is not StepState.STALE
    )
    if not _is_it(run, number, round, pass_number):
        raise InvalidState(
            f"the study waits at round {run.round}, pass {run.pass_number} of step {number};"
            " look at its report, then name those"
        )
    return run


def _refuse_unless_possible(
    study: Study, runs: Sequence[StepRun], verb: Verb, number: int
) -> None:
    reason = refusal(verb, situation(study, runs), number)
    if reason is not None:
        raise InvalidState(reason)


def _decide(session: Session, study: Study, run: StepRun, report: StepReport) -> StudyView:
    """Write a person's decision; the conductor takes it from there."""
    step_runs.write_report(session, run.id, report)
    studies.change(session, study.id, state=StudyState.RUNNING, reason=None)
    events.append(session, study.id, "step", {**step_runs.place(run), "state": report.state.value})
    events.append(session, study.id, "study", {"state": StudyState.RUNNING.value})
    events.publish_on_commit(session, events.CONDUCTOR)
    session.expire_all()
    return view(session, studies.require(session, study.uid))


def _is_it(run: StepRun, number: int, round: int | None, pass_number: int | None) -> bool:
    return (
        run.number == number
        and round in (None, run.round)
        and pass_number in (None, run.pass_number)
    )


def _was_decided(study: Study, decided: Sequence[StepRun], round: int | None) -> bool:
    """Whether a request says again what was said: a run that was named in full has its
    decision, or none waits for one."""
    is_done = any(run.state is not StepState.STALE for run in decided)
    return is_done and (round is not None or study.state is not StudyState.NEEDS_ACTION)
