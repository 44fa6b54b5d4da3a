"""Points of many requests in one transaction: those that wait while one is written go together.

Each is answered after the commit that holds it, and not before. Nobody waits for company: a
request that comes while nothing is written is written at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field

import anyio.to_thread
from sqlalchemy.exc import OperationalError

from recipes.wire import PointsAnswer, PointsRequest
from service.database.engine import Database
from service.metrics import Metrics
from service.use_cases import points
from service.use_cases.points import Sent

MAX_REQUESTS = 64
MAX_POINTS = 20_000
"""Most in one transaction, so that other writers get their turn; a request alone may hold
more."""

Result = PointsAnswer | Exception


@dataclass(frozen=True, slots=True)
class _Waiting:
    sent: Sent
    context: Context  # of its request, for what is logged
    done: asyncio.Future[PointsAnswer]

    @property
    def num_points(self) -> int:
        return sum(len(block.iterations) for block in self.sent.request.blocks)


@dataclass
class PointsWriter:
    """Writes what requests for points hold. Used from the event loop alone.

    Args:
        database: Where.
        metrics: Count the points.
    """

    database: Database
    metrics: Metrics
    _queue: deque[_Waiting] = field(default_factory=deque)
    _task: asyncio.Task[None] | None = None

    async def add(self, attempt: str, request: PointsRequest) -> PointsAnswer:
        """Store a request's points and outcomes, as :func:`service.use_cases.points.points`.

        Raises:
            ServiceError: As there; what was sent beside it by others is stored nevertheless.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(Sent(attempt, request), copy_context(), loop.create_future())
        self._queue.append(waiting)
        if self._task is None:
            # A context of its own: what it logs is about no request in particular.
            self._task = loop.create_task(self._write_all(), context=Context())
        return await waiting.done

    async def _write_all(self) -> None:
        try:
            while self._queue:
                group = self._next_group()
                results: list[Result]
                try:
                    results = await anyio.to_thread.run_sync(self._write, group)
                except Exception as error:  # no thread could be had: nobody may wait for ever
                    results = [error] * len(group)
                for each, result in zip(group, results, strict=True):
                    if each.done.done():  # given up by who asked
                        continue
                    if isinstance(result, Exception):
                        each.done.set_exception(result)
                    else:
                        each.done.set_result(result)
        finally:
            self._task = None

    def _next_group(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        num_points = group[0].num_points
        while self._queue and len(group) < MAX_REQUESTS:
            num_points += self._queue[0].num_points
            if num_points > MAX_POINTS:
                break
            group.append(self._queue.popleft())
        return group

    def _write(self, group: Sequence[_Waiting]) -> list[Result]:
        """All in one transaction; where one of them cannot be done, each in its own."""
        if len(group) == 1:
            return [self._write_alone(group[0])]
        try:
            with self.database.write() as session:
                answers = points.together(session, [each.sent for each in group])
        except OperationalError as error:  # the database is away, or full, for all of them
            return [error] * len(group)
        except Exception:
            return [self._write_alone(each) for each in group]
        self.metrics.points.inc(sum(answer.accepted for answer in answers))
        return list(answers)

    def _write_alone(self, waiting: _Waiting) -> Result:
        def write() -> PointsAnswer:
            with self.database.write() as session:
                return points.points(session, *waiting.sent)

        try:
            answer = waiting.context.run(write)
        except Exception as error:
            return error
        self.metrics.points.inc(answer.accepted)
        return answer
