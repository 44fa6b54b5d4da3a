from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import httpx2
import pytest

from recipes.wire import ClaimRequest, HeartbeatRequest, PointsRequest, RegisterRequest
from tests.worker_tests.fake_service import ATTEMPT_TOKEN, TOKEN, FakeService, Problem
from worker.agent.backoff import Backoff
from worker.agent.client import (
    Fenced,
    Gone,
    Refused,
    ServiceClient,
    ServiceError,
    Unauthorized,
    UnknownWorker,
    Unreachable,
)

REGISTER = RegisterRequest(name="n", slots=1, version="0")
CLAIM = ClaimRequest(slot=0, wait_seconds=0)
BEAT = HeartbeatRequest(fence=1)


def register(client: ServiceClient) -> object:
    return client.register(REGISTER)


def claim(client: ServiceClient) -> object:
    return client.claim("w1", CLAIM)


def points(client: ServiceClient) -> object:
    return client.points("a0", PointsRequest(fence=1))


def fetch(client: ServiceClient) -> object:
    return client.fetch_artifact("a0", "f0")


@pytest.mark.parametrize(
    ("call", "path", "problem", "error"),
    [
        (register, "register", Problem(401, "unauthorized"), Unauthorized),
        (register, "register", Problem(403, "wrong_scope"), Unauthorized),
        (register, "register", Problem(404, "no_route"), Refused),
        (register, "register", Problem(422, "invalid_input"), Refused),
        (claim, "claim", Problem(404, "not_found"), UnknownWorker),
        (claim, "claim", Problem(503, "busy"), Unreachable),
        (points, "points", Problem(404, "not_found"), Fenced),
        (fetch, "f0", Problem(404, "not_found"), Gone),
        (points, "points", Problem(409, "fenced"), Fenced),
        (points, "points", Problem(409, "conflicting_points"), Fenced),
        (points, "points", Problem(413, "too_large"), Refused),
        (points, "points", Problem(429, "slow_down"), Unreachable),
        (points, "points", Problem(500, "broken"), Unreachable),
    ],
)
def test_answers_become_errors(
    call: Callable[[ServiceClient], object],
    path: str,
    problem: Problem,
    error: type[ServiceError],
) -> None:
    with FakeService() as service, closing(ServiceClient(service.url, TOKEN)) as client:
        service.trouble = [(path, problem)]
        of_attempt = call in (points, fetch)
        asking = client.with_token(f"{ATTEMPT_TOKEN}a0") if of_attempt else client
        with pytest.raises(error, match=problem.code) as caught:
            call(asking)
        assert type(caught.value) is error
        assert TOKEN not in str(caught.value)


def test_a_404_from_something_else_at_the_address_does_not_end_an_attempt() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(404, text="<html>"))
    with closing(ServiceClient("http://host", "t", transport=transport)) as client:
        with pytest.raises(Unreachable):
            client.heartbeat("a0", BEAT)
        with pytest.raises(Refused):
            client.register(REGISTER)


def test_another_services_answer_is_refused() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"id": 3}))
    client = ServiceClient("http://host", "t", transport=transport)
    with closing(client), pytest.raises(Refused, match=r"RegisterAnswer.*of this version"):
        client.register(REGISTER)


@pytest.mark.parametrize("server", ["ftp://host", "host:8080", "nonsense"])
def test_an_address_that_is_none_is_refused(server: str) -> None:
    with closing(ServiceClient(server, "t")) as client, pytest.raises(Refused, match="address"):
        client.register(REGISTER)


def test_retry_after_is_read() -> None:
    with FakeService() as service, closing(ServiceClient(service.url, TOKEN)) as client:
        service.trouble = [("register", Problem(503, "busy", retry_after="7"))]
        with pytest.raises(Unreachable) as caught:
            client.register(REGISTER)
        assert caught.value.retry_after_seconds == 7.0


def test_non_finite_numbers_travel_as_words() -> None:
    bodies = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content, parse_constant=pytest.fail))
        return httpx2.Response(200, json={"accepted": 3})

    values = ["NaN", "Infinity", "-Infinity"]
    block = {"trial": 0, "metric": "loss", "split": "train", "iterations": [0, 1, 2]}
    request = PointsRequest.model_validate({"fence": 1, "blocks": [{**block, "values": values}]})
    transport = httpx2.MockTransport(answer)
    with closing(ServiceClient("http://host", "t", transport=transport)) as client:
        client.points("a0", request)
    assert bodies[0]["blocks"][0]["values"] == values


def test_pauses_double_to_a_limit_and_honour_what_was_asked() -> None:
    backoff = Backoff(first_seconds=0.1, most_seconds=3.0)
    pauses = [backoff.next_seconds() for _ in range(2_000)]
    for pause, nominal in zip(pauses, (0.1, 0.2, 0.4, 0.8, 1.6, 3.0), strict=False):
        assert nominal / 2 <= pause <= nominal
    assert min(pauses[5:]) >= 1.5
    assert max(pauses) <= 3.0
    assert backoff.next_seconds(7.0) == 7.0
    assert backoff.next_seconds(1e9) == 60.0
    backoff.reset()
    assert backoff.next_seconds() <= 0.1
