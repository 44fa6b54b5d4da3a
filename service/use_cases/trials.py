"""Use cases on trials: lists, one with its attempts, curves and findings."""

from __future__ import annotations

from sqlalchemy.orm import Session

from recipes.finding import Finding
from recipes.outcome import Initialisation
from recipes.trial import TrialPurpose, TrialState
from service.database.models import Study
from service.repositories import attempt_history, attempts, step_runs, studies
from service.repositories import curves as curve_repository
from service.repositories import trials as repository
from service.repositories.stored import description_of
from service.repositories.trials import Chosen, Order
from service.streams import cursors
from service.views.models import (
    AttemptView,
    CurvesView,
    CurveView,
    FindingPage,
    TrialPage,
    TrialSummary,
    TrialView,
)
from service.views.trial_order import by_parameter
from service.views.trial_views import evaluations, outcome, summary


def list_trials(
    session: Session,
    uid: str,
    *,
    step: int | None = None,
    round: int | None = None,
    pass_number: int | None = None,
    state: TrialState | None = None,
    purpose: TrialPurpose | None = None,
    sort: str = Order.NUMBER,
    limit: int = 50,
    cursor: str | None = None,
) -> TrialPage:
    """A study's trials.

    Args:
        session: Any session.
        uid: The study.
        step: Of this step alone.
        round: Of runs of a step in this round alone.
        pass_number: Of this pass alone.
        state: In this state alone.
        purpose: Made for this alone.
        sort: ``number``, ``value`` (at the best epoch), ``rung`` (those that trained longest
            first) or the name of a hyperparameter; a minus before it turns the order. Those
            without a value come last either way.
        limit: Most on the page.
        cursor: Where an earlier page of the same order ended.

    Raises:
        NotFound: There is no such study.
        InvalidInput: ``sort``, ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    kind = "trials" if sort == Order.NUMBER else f"trials by {sort}"
    position = cursors.decode(kind, cursor)
    study = studies.require(session, uid)
    chosen = Chosen(step, round, pass_number, state, purpose)
    falls, name = sort.startswith("-"), sort.removeprefix("-")
    if name in tuple(Order):
        # The cursor is the last trial's number.
        numbers = repository.ordered(
            session,
            study.id,
            chosen,
            Order(name),
            falls=falls,
            after=position,
            limit=limit + 1,
        )
        shown, following = numbers[:limit], numbers[limit - 1] if len(numbers) > limit else None
    else:
        # It is how many trials the pages before had.
        first = position or 0
        numbers = by_parameter(repository.light(session, study.id, chosen), sort)
        shown = numbers[first : first + limit]
        following = first + limit if first + limit < len(numbers) else None
    found = repository.numbered(session, study.id, shown)
    described = None if study.description is None else description_of(study.description)
    return TrialPage(
        items=tuple(summary(*found[number], described) for number in shown),
        next_cursor=None if following is None else cursors.encode(kind, following),
    )


def get_trial(session: Session, uid: str, number: int) -> TrialView:
    """One trial with its attempts. Raises NotFound."""
    study = studies.require(session, uid)
    trial, run = repository.require(session, study.id, number)
    described = None if study.description is None else description_of(study.description)
    found = outcome(trial)
    tries = [
        AttemptView(
            id=attempt.uid,
            number=place,
            state=attempt.state,
            worker=worker,
            resume_iteration=resume_iteration,
            cause=attempt.cause,
            error=attempt.error,
            traceback=attempt.traceback,
            queued_at=attempt.queued_at,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
        )
        for place, (attempt, worker, resume_iteration) in enumerate(
            attempts.of_trial(session, trial.id), start=1
        )
    ]
    fields = dict(summary(trial, run, described))
    return TrialView.model_validate(
        {
            **fields,
            "evaluations": evaluations(found.evaluations if found else ()),
            "at_best": evaluations(found.at_best if found else ()),
            "snapshot_epoch": found.snapshot_epoch if found else None,
            "attempts": tuple(tries),
            "switched_off": found.switched_off if found else (),
        },
        by_name=True,
    )


def curves(session: Session, uid: str, number: int) -> CurvesView:
    """A trial's effective curves. Raises NotFound."""
    trial, _ = repository.require(session, studies.require_id(session, uid), number)
    found = curve_repository.effective(session, [trial.id]).get(trial.id, {})
    return CurvesView(
        trial=number,
        curves=tuple(
            CurveView(metric=metric, split=split, iterations=curve.iterations, values=curve.values)
            for (metric, split), curve in sorted(found.items())
        ),
    )


def initialisation(session: Session, uid: str, number: int) -> Initialisation | None:
    """What a trial measured of the untrained model's layers; None for one that did not.

    Raises:
        NotFound: There is no such study or trial.
    """
    trial, _ = repository.require(session, studies.require_id(session, uid), number)
    found = outcome(trial)
    return None if found is None else found.initialisation


def place_in_queue(session: Session, uid: str, number: int) -> int | None:
    """How many attempts are handed out before a trial's; None where it has none queued.

    Raises:
        NotFound: There is no such study or trial.
    """
    trial, _ = repository.require(session, studies.require_id(session, uid), number)
    return attempt_history.num_queued_before(session, trial.id)


def findings(session: Session, uid: str) -> list[Finding]:
    """A study's findings, in the order they were made; those of stale steps left out.

    Raises:
        NotFound: There is no such study.
    """
    return step_runs.findings(session, studies.require_id(session, uid))


def finding_page(
    session: Session, uid: str, *, limit: int, cursor: str | None = None
) -> FindingPage:
    """A page of the same.

    Raises:
        NotFound: There is no such study.
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    after = cursors.decode("findings", cursor) or 0
    study_id = studies.require_id(session, uid)
    found = step_runs.findings_after(session, study_id, after, limit + 1)
    return FindingPage(
        items=tuple(finding for _, finding in found[:limit]),
        next_cursor=(
            cursors.encode("findings", found[limit - 1][0]) if len(found) > limit else None
        ),
    )


def summaries(
    session: Session, study: Study, *, after: int = -1, limit: int | None = None
) -> list[TrialSummary]:
    """Trials of a study by number, those above ``after``; all of them without a limit."""
    described = None if study.description is None else description_of(study.description)
    found = repository.page(session, study.id, after=after, limit=limit)
    return [summary(trial, run, described) for trial, run in found]
