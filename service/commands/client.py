"""The command line's own client: it speaks to the service as any program would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, TypeAdapter

from recipes.finding import Finding
from recipes.study import StudyConfig
from service.views import (
    CurvesView,
    StepView,
    StudyPage,
    StudyReport,
    StudyView,
    TrialPage,
    WorkerView,
)

TIMEOUT_SECONDS = 30.0
STREAM_TIMEOUT_SECONDS = 40.0
"""Above the period of the stream's keep-alive comments."""

Model = TypeVar("Model", bound=BaseModel)


class ClientError(Exception):
    """The service refused or could not be reached; the message is one line for people.

    ``field`` is what of the request did not fit, where the service says so.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Unreachable(ClientError):
    """Nobody answers at the address."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    id: int
    kind: str
    data: Any


class Client:
    """Speaks to one service; a context manager. Not for several threads at once.

    Every method raises ClientError when the service refuses, Unreachable when it is away.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self._http = httpx2.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,  # a proxy of the environment is not meant for this machine's service
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def is_sevenstep(self) -> bool:
        """Whether a service of ours answers there."""
        try:
            answer = self._http.get("/healthz", timeout=3.0, headers={"Authorization": ""})
            return bool(answer.json().get("service") == "sevenstep")
        except (httpx2.HTTPError, ValueError, AttributeError):
            return False

    def create_study(self, config: StudyConfig) -> StudyView:
        """Create a study."""
        body = config.model_dump_json()
        return self._ask("POST", "/api/v1/studies", StudyView, body=body)

    def study(self, uid: str) -> StudyView:
        """A study."""
        return self._ask("GET", f"/api/v1/studies/{uid}", StudyView)

    def studies(self, limit: int) -> StudyPage:
        """The newest studies."""
        return self._ask("GET", f"/api/v1/studies?limit={limit}", StudyPage)

    def pause(self, uid: str) -> StudyView:
        """Hold a study: what runs ends, nothing more begins."""
        return self._ask("POST", f"/api/v1/studies/{uid}/pause", StudyView)

    def resume(self, uid: str) -> StudyView:
        """Let a paused study go on."""
        return self._ask("POST", f"/api/v1/studies/{uid}/resume", StudyView)

    def cancel(self, uid: str) -> StudyView:
        """End a study."""
        return self._ask("POST", f"/api/v1/studies/{uid}/cancel", StudyView)

    def accept(self, uid: str, step: int) -> StudyView:
        """Apply the action a step's report asks for."""
        return self._ask("POST", f"/api/v1/studies/{uid}/steps/{step}/accept", StudyView)

    def rerun(self, uid: str, step: int) -> StudyView:
        """Describe the task again and run a step again; later steps become stale."""
        return self._ask("POST", f"/api/v1/studies/{uid}/steps/{step}/rerun", StudyView)

    def skip(self, uid: str, step: int, reason: str) -> StudyView:
        """Go on without a step's verdict."""
        body = json.dumps({"reason": reason})
        return self._ask("POST", f"/api/v1/studies/{uid}/steps/{step}/skip", StudyView, body)

    def steps(self, uid: str) -> list[StepView]:
        """The runs of a study's steps, oldest first."""
        answer = self._send("GET", f"/api/v1/studies/{uid}/steps")
        return TypeAdapter(list[StepView]).validate_json(answer.content)

    def trials(self, uid: str, **query: str | int | None) -> TrialPage:
        """A page of a study's trials. ``query``: step, state, sort, limit, cursor."""
        given = {name: value for name, value in query.items() if value is not None}
        path = f"/api/v1/studies/{uid}/trials?{httpx2.QueryParams(given)}"
        return self._ask("GET", path, TrialPage)

    def curves(self, uid: str, trial: int) -> CurvesView:
        """A trial's curves."""
        return self._ask("GET", f"/api/v1/studies/{uid}/trials/{trial}/curves", CurvesView)

    def findings(self, uid: str) -> list[Finding]:
        """What the rules saw in a study, step by step."""
        answer = self._send("GET", f"/api/v1/studies/{uid}/findings")
        return TypeAdapter(list[Finding]).validate_json(answer.content)

    def report(self, uid: str) -> StudyReport:
        """The report."""
        return self._ask("GET", f"/api/v1/studies/{uid}/report.json", StudyReport)

    def document(self, uid: str, name: str) -> str:
        """A file of the study's as the service writes it: report.json, report.md, trials.csv."""
        return self._send("GET", f"/api/v1/studies/{uid}/{name}").text

    def workers(self) -> list[WorkerView]:
        """Workers seen lately."""
        answer = self._send("GET", "/api/v1/workers")
        return TypeAdapter(list[WorkerView]).validate_json(answer.content)

    def report_json(self, uid: str) -> str:
        """The report, as the service wrote it."""
        return self.document(uid, "report.json")

    def events(self, uid: str, after: int) -> Iterator[Event]:
        """Events from ``after`` on, as they happen, until the service ends the stream."""
        path = f"/api/v1/studies/{uid}/events"
        try:
            with self._http.stream(
                "GET", path, params={"after": after}, timeout=STREAM_TIMEOUT_SECONDS
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _refusal(answer)
                yield from _parse_events(answer.iter_lines())
        except httpx2.TransportError as error:
            raise Unreachable(f"the service at {self.address} went away") from error

    def _ask(self, method: str, path: str, model: type[Model], body: str | None = None) -> Model:
        return model.model_validate_json(self._send(method, path, body).content)

    def _send(self, method: str, path: str, body: str | None = None) -> httpx2.Response:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = self._http.request(method, path, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise Unreachable(f"no service answers at {self.address}") from error
        if answer.is_error:
            raise _refusal(answer)
        return answer


def _refusal(answer: httpx2.Response) -> ClientError:
    """What a problem document says, or as much as can be said of another answer."""
    try:
        problem = answer.json()
        errors = problem.get("errors") or [{}]
        return ClientError(str(problem["detail"]), field=errors[0].get("field"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ClientError(f"the service answered {answer.status_code} {answer.reason_phrase}")


def _parse_events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            identifier = fields.get("id", "0")
            yield Event(
                id=int(identifier) if identifier.isdecimal() else 0,
                kind=fields.get("event", "message"),
                data=json.loads(fields["data"]),
            )
            fields = {}
