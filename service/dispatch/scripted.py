"""Answers attempts from a script, in this process: a worker without training.

A real second dispatcher: it goes through the same use cases as an agent does, so what
it leaves in the database is what an agent would have left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from recipes.curve import CurveBlock
from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.run import JobKind, MemberSpec, RunSpec
from recipes.wire import (
    AttemptState,
    Claim,
    ClaimRequest,
    FinishRequest,
    PointsRequest,
    RegisterRequest,
)
from service.database.engine import Database
from service.settings import Settings
from service.use_cases import attempts as use_cases
from service.use_cases import workers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of one member gives: its curves and how it ended."""

    outcome: MemberOutcome
    blocks: tuple[CurveBlock, ...] = ()


class Script(Protocol):
    """What the scripted worker measures."""

    def describe(self) -> TaskDescription:
        """The task."""
        ...

    def train(self, run: RunSpec, member: MemberSpec) -> Answer:
        """One member of a run."""
        ...


class ScriptedDispatcher:
    """Runs every submitted attempt to its end at once.

    Args:
        database: Where.
        script: What each attempt measures.
        settings: The service's.
    """

    def __init__(self, database: Database, script: Script, *, settings: Settings) -> None:
        self._database = database
        self._script = script
        self._settings = settings
        request = RegisterRequest(name="scripted", slots=1, version="0")
        with database.write() as session:
            self._worker = workers.register(session, request, settings=settings).worker

    def submit(self, attempts: Sequence[str]) -> None:
        """Claim and answer until nothing waits."""
        while self.run_one():
            pass

    def run_one(self) -> bool:
        """Claim one attempt and answer it; whether there was one."""
        request = ClaimRequest(slot=0, wait_seconds=0)
        with self._database.write() as session:
            claim = use_cases.claim(session, self._worker, request, settings=self._settings)
        if claim is None:
            return False
        if claim.job.kind is JobKind.DESCRIBE:
            self._finish(claim, description=self._script.describe())
        else:
            run = claim.job.run
            assert run is not None
            answers = [self._script.train(run, member) for member in run.members]
            self._report(claim, answers)
            self._finish(claim)
        return True

    def _report(self, claim: Claim, answers: Iterable[Answer]) -> None:
        for answer in answers:
            request = PointsRequest(
                fence=claim.fence, blocks=answer.blocks, outcomes=(answer.outcome,)
            )
            with self._database.write() as session:
                use_cases.points(session, claim.attempt, request)

    def _finish(self, claim: Claim, description: TaskDescription | None = None) -> None:
        request = FinishRequest(
            fence=claim.fence, state=AttemptState.SUCCEEDED, description=description
        )
        with self._database.write() as session:
            use_cases.finish(session, claim.attempt, request, settings=self._settings)
