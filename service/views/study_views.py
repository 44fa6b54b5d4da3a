"""Studies as they are answered: in full, and as a line of a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from recipes.description import TaskProblem
from recipes.space import SearchSpace
from recipes.step import StepState
from recipes.study import StudyState
from service.clock import database_now
from service.database.models import StepRun, Study
from service.repositories import spending, step_runs, trials
from service.repositories.spending import Progress, StudiesWork, Work
from service.repositories.stored import config_of, description_of, result_of
from service.use_cases import verbs
from service.use_cases.spending import eta_seconds, spent
from service.use_cases.verbs import Situation
from service.views.models import BudgetView, CurrentStep, StepSummary, StudySummary, StudyView


def view(session: Session, study: Study) -> StudyView:
    """A study in full."""
    config = config_of(study.config)
    runs = step_runs.of_study(session, study.id)
    now = situation(study, runs)
    result = None if study.result is None else result_of(study.result)
    described = None if study.description is None else description_of(study.description)
    work = spending.by_step_run(session, [study.id])
    return StudyView(
        id=study.uid,
        version=study.version,
        name=study.name,
        state=study.state,
        reason=study.reason,
        task=config.task,
        task_args=config.task_args,
        set=config.set,
        space=None if study.space is None else SearchSpace.model_validate_json(study.space),
        fusing=None if described is None else described.fusing,
        seed=study.seed,
        incumbent=config.incumbent,
        max_rounds=config.max_rounds,
        autopilot=config.autopilot,
        search=config.search,
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
        current=_current(session, [(study, run) for run in runs[-1:]], work).get(study.id),
        steps=tuple(_step_summary(run) for run in runs),
        planned_steps=config.steps,
        num_trials=study.num_trials,
        budget=_budgets(session, [study], work)[study.id],
        best=None if result is None else result.best,
        result=result,
        problem=problem(study),
        verbs=verbs.possible(now),
        decision_step=(
            now.last.number
            if study.state is StudyState.NEEDS_ACTION and now.last is not None
            else None
        ),
    )


def summaries(session: Session, studies: Sequence[Study]) -> tuple[StudySummary, ...]:
    """Studies as lines of a list, in a few queries for all of them."""
    latest = step_runs.latest(session, [study.id for study in studies])
    work = spending.by_step_run(session, [study.id for study in studies])
    spendings = _budgets(session, studies, work)
    begun = [(study, latest[study.id]) for study in studies if study.id in latest]
    current = _current(session, begun, work)
    return tuple(
        _summary(study, latest.get(study.id), spendings[study.id], current.get(study.id))
        for study in studies
    )


def situation(study: Study, runs: Sequence[StepRun]) -> Situation:
    """Where a study is, as far as it matters to what a person may do."""
    running = next((run.number for run in runs if run.state is StepState.RUNNING), None)
    rerun = next((run.number for run in runs if run.id == study.rerun_from), None)
    found = problem(study)
    return Situation(
        state=study.state,
        history=step_runs.judged(runs),
        running=running,
        described_again_from=rerun,
        problem=None if found is None else found.message,
    )


def budgets(session: Session, studies: Collection[Study]) -> Mapping[int, BudgetView]:
    """What studies may spend and have spent, by their keys."""
    work = spending.by_step_run(session, [study.id for study in studies])
    return _budgets(session, studies, work)


def _budgets(
    session: Session, studies: Collection[Study], work: StudiesWork
) -> Mapping[int, BudgetView]:
    now = database_now(session)
    return {
        study.id: BudgetView(
            allowed=config_of(study.config).budget,
            used=spent(study, work.get(study.id, {}), now),
        )
        for study in studies
    }


def problem(study: Study) -> TaskProblem | None:
    """Why the study's task cannot be used."""
    return None if study.problem is None else TaskProblem.model_validate_json(study.problem)


def _current(
    session: Session, latest: Collection[tuple[Study, StepRun]], work: StudiesWork
) -> Mapping[int, CurrentStep]:
    """What those studies do whose latest run of a step is under way, by the studies' keys."""
    under_way = [
        (study, run)
        for study, run in latest
        if not study.state.has_ended and run.state is StepState.RUNNING
    ]
    if not under_way:
        return {}
    run_ids = [run.id for _, run in under_way]
    counts = trials.counts(session, run_ids)
    own = {run.id: work.get(study.id, {}).get(run.id, Work()) for study, run in under_way}
    progresses = spending.progress(session, run_ids, own)
    return {
        study.id: CurrentStep(
            step=run.number,
            kind=step_runs.kind_of(run.number),
            round=run.round,
            pass_number=run.pass_number,
            progress=_share(progresses[run.id]),
            done=counts[run.id].ended,
            total=counts[run.id].total,
            eta_seconds=eta_seconds(progresses[run.id]),
            sentence=run.plan or "",
        )
        for study, run in under_way
    }


def _share(progress: Progress) -> float:
    return progress.done / progress.total if progress.total else 0.0


def _step_summary(run: StepRun) -> StepSummary:
    report = step_runs.view(run)
    return StepSummary(
        number=run.number,
        kind=report.kind,
        round=run.round,
        pass_number=run.pass_number,
        state=run.state,
        verdict=report.verdict,
        sentence=report.sentence,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _summary(
    study: Study, latest: StepRun | None, budget: BudgetView, current: CurrentStep | None
) -> StudySummary:
    if study.state is StudyState.PENDING and study.rerun_from is not None:
        sentence = "waits for a worker to describe the changed task"
    elif latest is not None:
        sentence = step_runs.view(latest).sentence
    elif study.state is StudyState.PENDING:
        sentence = "waits for a worker to describe the task"
    else:
        sentence = study.reason or ""
    config = config_of(study.config)
    return StudySummary(
        id=study.uid,
        name=study.name,
        state=study.state,
        reason=study.reason,
        task=config.task,
        seed=study.seed,
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
        num_trials=study.num_trials,
        current=current,
        best=None if study.result is None else result_of(study.result).best,
        budget=budget,
        sentence=sentence,
    )
