"""The client: studies from a script or a notebook, in the models the service answers with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
from pydantic import ValidationError

from recipes.finding import Finding
from recipes.step import StepReport
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialState
from service.client.curves import Curves
from service.client.errors import NoService, Unreachable, invalid_config
from service.client.following import Observer, follow
from service.client.stream import Event, events
from service.client.transport import API, PAGE, Transport, study_path
from service.server import server_file
from service.views.models import (
    FindingPage,
    StepPage,
    StepView,
    StudyPage,
    StudyReport,
    StudySummary,
    StudyView,
    TrialPage,
    TrialSummary,
    TrialView,
    WorkerPage,
    WorkerView,
)

PATIENCE_SECONDS = 60.0
"""Longer than a service takes to start again, shorter than a person waits in vain."""
Progress = bool | Callable[[StudyView], None]


class Client:
    """Speaks to one service; a context manager. Any number of threads may share it.

    Every method raises ``Refused`` (or one of its kinds) when the service says no, with the
    field and the cure where it names them, and ``Unreachable`` when nobody answers as long as
    patience lasts. Until then a request is tried again: nothing is done twice, because every
    change carries a key under which the service recognises it.

    Args:
        address: As ``http://host:port``.
        token: Of scope ``read`` to look, ``write`` to create and steer.
        patience_seconds: For how long a service that is away is tried again; 0: not at all.

    Raises:
        ValueError: The address or the token cannot be one.
    """

    def __init__(
        self, address: str, token: str, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._transport = Transport(address, token, patience_seconds=patience_seconds)
        self.address = self._transport.address

    @classmethod
    def from_server_file(cls, data_dir: Path | str | None = None) -> Client:
        """A client of the service that runs on this machine, by the file it leaves.

        Args:
            data_dir: The service's; None: ``SEVENSTEP_DATA_DIR``, else the default.

        Raises:
            NoService: None runs there.
        """
        from service.settings import Settings

        folder = Settings().data_dir if data_dir is None else Path(data_dir)
        file = server_file.read(folder)
        if file is None or not file.is_alive:
            raise NoService(f"no service runs for {folder}; start one with `sevenstep serve`")
        client = cls(file.address, file.token)
        client._transport.look_before(lambda: _check_still_there(folder, client.address))
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._transport.http.close()

    def is_sevenstep(self) -> bool:
        """Whether a service of ours answers there, asked once and without the token."""
        try:
            answer = self._transport.http.get(
                "/healthz", timeout=3.0, headers={"Authorization": ""}
            )
            return bool(answer.json().get("service") == "sevenstep")
        except (httpx2.HTTPError, ValueError, AttributeError):
            return False

    def create(
        self,
        config: StudyConfig | None = None,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> StudyView:
        """Create a study. It starts when a worker is there.

        Args:
            config: What is asked for; or its fields by name instead:
                ``create(name="first", task="digits", budget={"trials": 64})``.
            idempotency_key: With the same key and the same config the service creates one
                study, however often it is asked within a day; for a script that may be run
                twice. Else a key is made, which covers the tries of this call.
            fields: Of ``StudyConfig``.

        Raises:
            InvalidInput: A field does not fit, by its form or in this service's eyes.
        """
        try:
            asked = config if config is not None else StudyConfig.model_validate(fields)
        except ValidationError as error:
            raise invalid_config(error) from error
        body = asked.model_dump_json()
        return self._transport.post(f"{API}/studies", StudyView, body=body, key=idempotency_key)

    def study(self, uid: str) -> StudyView:
        """A study: state, current step, best, budget, what its steps concluded."""
        return self._transport.get(study_path(uid), StudyView)

    def studies(
        self, *, state: StudyState | str | None = None, limit: int = PAGE
    ) -> list[StudySummary]:
        """The newest studies, at most ``limit``; of one state where that is given."""
        query = _given(state=state)
        return list(self._transport.every(f"{API}/studies", StudyPage, query, limit=limit))

    def study_page(
        self, limit: int, *, state: StudyState | str | None = None, cursor: str | None = None
    ) -> StudyPage:
        """One page of studies, newest first, and in ``next_cursor`` what asks for the next."""
        query = _given(limit=limit, state=state, cursor=cursor)
        return self._transport.get(f"{API}/studies", StudyPage, query)

    def wait(
        self, uid: str, *, progress: Progress = False, timeout_seconds: float | None = None
    ) -> StudyReport:
        """Wait until a study has ended or needs a person; its report.

        The state tells which: ``report.state``. A paused study is waited for.

        Args:
            uid: The study's id.
            progress: True: a bar on standard error, with a line a verdict. A function: called
                with the study whenever something happened in it.
            timeout_seconds: Longest to wait; None: as long as it takes.

        Raises:
            StillRunning: Time is up; the study goes on. It is a TimeoutError too.
        """
        with _observer(progress) as observer:
            self.follow(uid, observer, timeout_seconds=timeout_seconds)
        return self.report(uid)

    def follow(
        self,
        uid: str,
        observer: Observer,
        *,
        timeout_seconds: float | None = None,
        is_interrupted: Callable[[], bool] = lambda: False,
    ) -> StudyView:
        """Tell an observer of each verdict and of what goes on, until the study ends or waits."""
        return follow(
            self._transport,
            uid,
            observer,
            timeout_seconds=timeout_seconds,
            is_interrupted=is_interrupted,
        )

    def events(self, uid: str, *, after: int = 0) -> Iterator[Event]:
        """What happens in a study, from the event after ``after`` on, until it has ended.

        None is missed and none told twice, however often the connection breaks. A study that
        waits for a person has not ended: leave the loop where you have seen enough.
        """
        return events(self._transport, uid, after)

    def report(self, uid: str) -> StudyReport:
        """Everything a study found out so far."""
        return self._transport.get(study_path(uid, "report.json"), StudyReport)

    def steps(self, uid: str) -> list[StepView]:
        """Every run of a study's steps, oldest first."""
        return list(self._transport.every(study_path(uid, "steps"), StepPage))

    def step(self, uid: str, number: int, *, round: int | None = None) -> StepView:
        """A step's latest run, or its latest of a round."""
        path = study_path(uid, f"steps/{number}")
        return self._transport.get(path, StepView, _given(round=round))

    def trials(
        self,
        uid: str,
        *,
        step: int | None = None,
        state: TrialState | str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> list[TrialSummary]:
        """A study's trials.

        Args:
            uid: The study's id.
            step: Of this step alone.
            state: In this state alone.
            sort: ``number``, ``value`` or a hyperparameter's name; ``-value``: downwards.
            limit: Most of them; None: all.
        """
        query = _given(step=step, state=state, sort=sort)
        path = study_path(uid, "trials")
        return list(self._transport.every(path, TrialPage, query, limit=limit))

    def trial(self, uid: str, number: int) -> TrialView:
        """A trial with its attempts and evaluations."""
        return self._transport.get(study_path(uid, f"trials/{number}"), TrialView)

    def curves(self, uid: str, trial: int) -> Curves:
        """A trial's curves: ``curves["loss", "val"].values``, or ``.to_numpy()``."""
        return self._transport.get(study_path(uid, f"trials/{trial}/curves"), Curves)

    def findings(self, uid: str) -> list[Finding]:
        """What the rules saw in a study, step by step."""
        return list(self._transport.every(study_path(uid, "findings"), FindingPage))

    def document(self, uid: str, name: str) -> str:
        """A file of the study's as the service writes it.

        ``report.md``, ``report.json``, ``trials.csv``, ``figures/step-3-lr_finder.svg``.
        """
        return self._transport.send("GET", study_path(uid, name)).text

    def workers(self) -> list[WorkerView]:
        """Workers seen within a day."""
        return list(self._transport.every(f"{API}/workers", WorkerPage))

    def pause(self, uid: str, *, if_version: int | None = None) -> StudyView:
        """Hold a study: what runs ends, nothing more begins.

        ``if_version``, here and below: a study's ``version`` as it was read. When someone has
        changed it since, nothing is done and ``Changed`` is raised.
        """
        return self._change(uid, "pause", if_version)

    def resume(self, uid: str, *, if_version: int | None = None) -> StudyView:
        """Let a paused study go on."""
        return self._change(uid, "resume", if_version)

    def cancel(self, uid: str, *, if_version: int | None = None) -> StudyView:
        """End a study. What it measured is kept."""
        return self._change(uid, "cancel", if_version)

    def accept(self, uid: str, step: int, *, if_version: int | None = None) -> StudyView:
        """Apply the action a step's report asks for."""
        return self._change(uid, f"steps/{step}/accept", if_version)

    def rerun(self, uid: str, step: int, *, if_version: int | None = None) -> StudyView:
        """Describe the task again and run a step again; later steps become stale."""
        return self._change(uid, f"steps/{step}/rerun", if_version)

    def skip(
        self, uid: str, step: int, reason: str, *, if_version: int | None = None
    ) -> StudyView:
        """Go on without a step's verdict; the report keeps the reason."""
        body = json.dumps({"reason": reason})
        return self._change(uid, f"steps/{step}/skip", if_version, body)

    def delete(self, uid: str, *, confirm: str, if_version: int | None = None) -> None:
        """Delete a study that does not run, with all it measured, for good.

        Args:
            uid: The study's id.
            confirm: Its name, as a check that the right one is meant.
            if_version: As of ``pause``.

        Raises:
            NotFound: There is no such study. That a repeated try finds nothing is no error.
            Conflict: It runs; cancel it first.
        """
        path = study_path(uid)
        self._transport.delete(path, params={"confirm": confirm}, if_version=if_version)

    def _change(
        self, uid: str, what: str, if_version: int | None, body: str | None = None
    ) -> StudyView:
        path = study_path(uid, what)
        return self._transport.post(path, StudyView, body=body, if_version=if_version)


class _Calls:
    """An observer that calls a function with the study, and leaves the rest."""

    def __init__(self, call: Callable[[StudyView], None] | None) -> None:
        self._call = call

    def judged(self, report: StepReport) -> None:
        return None

    def now(self, study: StudyView) -> None:
        if self._call is not None:
            self._call(study)

    def away(self) -> None:
        return None


def _observer(progress: Progress) -> AbstractContextManager[Observer]:
    if progress is True:
        from service.client.bar import Bar

        return Bar()
    return nullcontext(_Calls(progress if callable(progress) else None))


def _given(**query: object) -> Mapping[str, str | int]:
    """A query without what was not given."""
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in query.items()
        if value is not None
    }


def _check_still_there(folder: Path, address: str) -> None:
    """Raises where the address may be another service's by now: the token is not for that one.

    Raises:
        Unreachable: No service runs for the folder; it may be starting again.
        NoService: The folder's service has another address.
    """
    file = server_file.read(folder)
    if file is None or not file.is_alive:
        raise Unreachable(
            f"the service of {folder} at {address} has ended; `sevenstep serve --data-dir"
            f" {shlex.quote(str(folder.absolute()))}` brings it back"
        )
    if file.address.rstrip("/") != address:
        raise NoService(f"the service of {folder} is at {file.address} now, no longer {address}")
