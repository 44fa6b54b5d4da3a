"""What is measured: one function a database, each a mapping of names to quartiles."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.harness.spread import Spread
from benchmarks.scale.door import Door, door, milliseconds
from benchmarks.scale.studies import Maker
from recipes.wire import ClaimRequest
from service.conductor.conductor import Conductor
from service.settings import Settings
from service.use_cases import attempts

REPEATS = 15
DECISIONS = 5
"""Repeats of a decision, of which one on many trials takes seconds."""
WORKERS = 50
CLAIMS_EACH = 4
Numbers = dict[str, Any]


def large_study(settings: Settings, trials: int) -> Numbers:
    """One study whose search has so many trials: what a person and the conductor ask for."""
    found: Numbers = {}
    with door(settings) as client:
        maker = Maker(client.database, settings)
        uid = maker.begun("large")
        maker.add_ended(uid, max(0, trials - _num_trials(client, uid)))
        found["an empty request"] = _asked(client, "/healthz")
        found["study JSON, in its search"] = _asked(client, f"/api/v1/studies/{uid}")
        for name, path in _reads(uid, trials).items():
            found[name] = _asked(client, path)
        found["judge the search of all trials"] = milliseconds(
            lambda: maker.decision(uid), repeats=DECISIONS
        )
        maker.advance(uid)
        found["plan the next step"] = milliseconds(lambda: maker.decision(uid), repeats=DECISIONS)
        for step, name in ((5, "fine search"), (6, "curves"), (7, "loop")):
            maker.to_the_end_of_step(uid, step)
            found[f"judge a later {name}"] = milliseconds(
                lambda: maker.decision(uid), repeats=DECISIONS
            )
        found["study JSON, in a later step"] = _asked(client, f"/api/v1/studies/{uid}")
        found["study page, in a later step"] = _asked(client, f"/studies/{uid}")
    return found


def long_queue(settings: Settings, queued: int) -> Numbers:
    """A study with so many attempts queued: claims one by one, and by fifty workers at once."""
    with door(settings) as client:
        maker = Maker(client.database, settings)
        uid = maker.begun("queue")
        maker.add_queued(uid, queued + WORKERS * (CLAIMS_EACH + 1))
        workers = maker.add_workers(WORKERS)
        free = iter([*workers, *workers])

        def claim() -> None:
            answer = client.post(f"/api/v1/workers/{next(free)}/claim", json={"slot": 0})
            assert answer.status_code == 200, answer.text

        return {
            "claim": milliseconds(claim, repeats=REPEATS),
            "claim, by 50 workers at once": _claims(maker, workers),
            "study JSON, all queued": _asked(client, f"/api/v1/studies/{uid}"),
            "workers JSON": _asked(client, "/api/v1/workers"),
        }


def many_studies(settings: Settings, studies: int) -> Numbers:
    """So many studies with a trial queued each: lists, a claim, and the conductor's look."""
    with door(settings) as client:
        maker = Maker(client.database, settings)
        maker.add_planned(studies)
        free = iter(maker.add_workers(WORKERS))
        conductor = Conductor(client.database, settings=settings)

        def claim() -> None:
            answer = client.post(f"/api/v1/workers/{next(free)}/claim", json={"slot": 0})
            assert answer.status_code == 200, answer.text

        return {
            "studies JSON": _asked(client, "/api/v1/studies?limit=50"),
            "studies page": _asked(client, "/studies"),
            "claim": milliseconds(claim, repeats=REPEATS),
            "the conductor's look, nothing to decide": milliseconds(
                conductor.look, repeats=REPEATS
            ),
            "metrics": _asked(client, "/metrics"),
        }


def _reads(uid: str, trials: int) -> dict[str, str]:
    rest, page = f"/api/v1/studies/{uid}", f"/studies/{uid}"
    return {
        "study page, in its search": page,
        "trials JSON, 100 by number": f"{rest}/trials",
        "trials JSON, 100 by value": f"{rest}/trials?sort=-value",
        "trials JSON, 100 by a hyperparameter": f"{rest}/trials?sort=lr",
        "trials page, 50 by number": f"{page}/trials",
        "trials page, 50 by value": f"{page}/trials?sort=-value",
        "a trial's curves": f"{rest}/trials/{trials // 2}/curves",
    }


def _asked(client: Door, path: str) -> dict[str, float]:
    return milliseconds(lambda: client.get_page(path), repeats=REPEATS)


def _num_trials(client: Door, uid: str) -> int:
    return int(client.get_page(f"/api/v1/studies/{uid}").json()["num_trials"])


def _claims(maker: Maker, workers: list[str]) -> dict[str, float]:
    """Each worker claims some times, as fast as it can; a slot of its own each time."""

    def claim(worker: str, slot: int) -> float:
        begun = time.perf_counter()
        request = ClaimRequest(slot=slot, wait_seconds=0)
        with maker.database.write() as session:
            assert attempts.claim(session, worker, request, settings=maker.settings) is not None
        return 1e3 * (time.perf_counter() - begun)

    def all_of(worker: str) -> list[float]:
        return [claim(worker, slot) for slot in range(1, CLAIMS_EACH + 1)]

    with ThreadPoolExecutor(len(workers)) as pool:
        taken = [each for found in pool.map(all_of, workers) for each in found]
    return Spread.of(taken)._asdict()
