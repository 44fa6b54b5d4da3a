"""Use cases on studies. Each takes a session and leaves the commit to its caller."""

from __future__ import annotations

from sqlalchemy.orm import Session

from recipes.errors import InvalidSetting
from recipes.run import JobKind
from recipes.study import StudyConfig, StudyState, check_texts
from recipes.study_space import check_settings
from service.clock import database_now, utc_now
from service.database.models import Study
from service.database.statements import plain_text
from service.errors import InvalidInput, InvalidState
from service.repositories import jobs, step_runs
from service.repositories import studies as repository
from service.repositories.jobs import NewJob
from service.streams import cursors, events
from service.uids import new_uid
from service.use_cases.attempt_end import stop_work
from service.use_cases.steps import step, steps
from service.use_cases.verbs import Verb, refusal
from service.views.models import StudyPage, StudyView
from service.views.reports import report
from service.views.study_views import situation, summaries, view

__all__ = [
    "cancel",
    "count_by_state",
    "create",
    "get",
    "list_studies",
    "pause",
    "report",
    "resume",
    "step",
    "steps",
]


def create(session: Session, config: StudyConfig) -> StudyView:
    """Begin a study: its row and its first job, describe. Nothing else can be known yet.

    Raises:
        InvalidInput: A text cannot be stored, or a value of a hyperparameter that the trainer
            knows cannot be.
    """
    try:
        check_texts(config)
        check_settings(config)
    except InvalidSetting as error:
        raise InvalidInput(error.field, error.value, error.cure) from error
    now = utc_now()
    study = Study(
        uid=new_uid(),
        version=0,
        name=config.name,
        config=config.model_dump_json(),
        seed=config.seed,
        state=StudyState.PENDING,
        num_trials=0,
        num_events=0,
        active_seconds=0.0,
        active_since=database_now(session),
        created_at=now,
    )
    session.add(study)
    session.flush()
    jobs.queue(session, study.id, [NewJob(JobKind.DESCRIBE)], now=now)
    events.append(session, study.id, "study", {"state": study.state.value})
    events.publish_on_commit(session, events.JOBS)
    return view(session, study)


def get(session: Session, uid: str) -> StudyView:
    """A study. Raises NotFound."""
    return view(session, repository.require(session, uid))


def list_studies(
    session: Session,
    *,
    state: StudyState | None = None,
    limit: int = 50,
    cursor: str | None = None,
    text: str = "",
    without: StudyState | None = None,
) -> StudyPage:
    """Studies, newest first.

    Args:
        session: Any session.
        state: In this state alone.
        limit: Most on the page.
        cursor: Where an earlier page of the same list ended.
        text: With this in their name, task or id.
        without: Not in this state.

    Raises:
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    before = cursors.decode("studies", cursor)
    found = repository.page(
        session,
        state=state,
        before=before,
        limit=limit + 1,
        text=plain_text(text) or "",
        without=without,
    )
    shown = found[:limit]
    return StudyPage(
        items=summaries(session, shown),
        next_cursor=cursors.encode("studies", shown[-1].id) if len(found) > limit else None,
    )


def count_by_state(session: Session) -> dict[StudyState, int]:
    """How many studies are in each state that has any."""
    return repository.count_by_state(session)


def pause(session: Session, uid: str) -> StudyView:
    """Hand out no more of a study's work. Pausing a paused one changes nothing.

    Jobs that run are let run to their end, and what they measure is kept: most are seconds
    long, and a longer one would lose the epochs since its checkpoint. No verdict is reached
    and nothing is planned until the study is resumed, and its budget of time stands still.

    Raises:
        NotFound: There is no such study.
        InvalidState: It has ended, or waits for a person.
    """
    study = _locked(session, uid, "pause")
    if study.state is not StudyState.PAUSED:
        _change_state(session, study, StudyState.PAUSED, reason="paused")
    return view(session, study)


def resume(session: Session, uid: str) -> StudyView:
    """Go on with a paused study, from where it was. One that runs is left alone.

    Raises:
        NotFound: There is no such study.
        InvalidState: It has ended, or waits for a person.
    """
    study = _locked(session, uid, "resume")
    if study.state is StudyState.PAUSED:
        has_begun = study.space is not None and study.rerun_from is None
        state = StudyState.RUNNING if has_begun else StudyState.PENDING
        _change_state(session, study, state, reason=None)
        events.publish_on_commit(session, events.JOBS, events.CONDUCTOR)
    return view(session, study)


def cancel(session: Session, uid: str) -> StudyView:
    """End a study for good. Cancelling a cancelled one changes nothing.

    Trials that have not ended are cancelled and the step under way ends without a verdict;
    workers that train hear of it with their next heartbeat.

    Raises:
        NotFound: There is no such study.
        InvalidState: It has completed or failed.
    """
    study = repository.require(session, uid, lock=True)
    if study.state is StudyState.CANCELLED:
        return view(session, study)
    _refuse_unless_possible(session, study, "cancel")
    now = utc_now()
    stop_work(session, study.id, now)
    repository.change(session, study.id, rerun_from=None, finished_at=now)
    _change_state(session, study, StudyState.CANCELLED, reason="cancelled")
    return view(session, study)


def _locked(session: Session, uid: str, verb: Verb) -> Study:
    study = repository.require(session, uid, lock=True)
    _refuse_unless_possible(session, study, verb)
    return study


def _refuse_unless_possible(session: Session, study: Study, verb: Verb) -> None:
    reason = refusal(verb, situation(study, step_runs.of_study(session, study.id)))
    if reason is not None:
        raise InvalidState(reason)


def _change_state(
    session: Session, study: Study, state: StudyState, *, reason: str | None
) -> None:
    repository.change(session, study.id, state=state, reason=reason)
    events.append(session, study.id, "study", {"state": state.value})
    session.refresh(study)
