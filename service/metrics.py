"""What the service tells Prometheus: counters of this process, and gauges of the database.

Counters and the histogram are this process's own: each process of a service is scraped by
itself, and their sums are the service's. Gauges are read from the database, which all share,
at most every few seconds, and by index alone: a scrape costs the same with a thousand studies
as with one. So trials are counted in studies that have not ended, and attempts in the states
that few of them are in at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.use_cases.counts import Counts

CACHED_SECONDS = 5.0
"""How old the database's gauges may be: below the usual scrape period of 15 s, and long
enough that several scrapers cost no more than one."""
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram in seconds; claims wait up to 20 s by design."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format, as every Prometheus since 0.4 reads it."""


class Metrics:
    """One process's metrics. Any thread may call any method.

    Args:
        count: Reads the database's gauges.
        cached_seconds: How long what it read is told again.
    """

    def __init__(
        self, count: Callable[[], Counts], *, cached_seconds: float = CACHED_SECONDS
    ) -> None:
        # A registry of its own: the library's global one would be shared by every
        # application that a test makes.
        self._registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "sevenstep_request_seconds",
            "Time until an answer began, by method and route.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.requests = Counter(
            "sevenstep_requests",
            "Answers, by method, route and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.claims = Counter(
            "sevenstep_claims", "Attempts handed out to workers.", registry=self._registry
        )
        self.points = Counter("sevenstep_points", "Curve points stored.", registry=self._registry)
        self.finished = Counter(
            "sevenstep_attempts_finished",
            "Attempts whose worker said how they ended, by state.",
            ("state",),
            registry=self._registry,
        )
        self._registry.register(_Gauges(count, cached_seconds))

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """The database's gauges, read again once they are too old."""

    def __init__(self, count: Callable[[], Counts], cached_seconds: float) -> None:
        self._count = count
        self._cached_seconds = cached_seconds
        self._reading = threading.Lock()
        self._read_at = float("-inf")
        self._counts: Counts | None = None

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering must not need a database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        counts = self._fresh()
        yield _by_state("sevenstep_studies", "Studies, by state.", counts.studies)
        yield _by_state(
            "sevenstep_open_study_trials",
            "Trials of studies that have not ended, by state.",
            counts.trials,
        )
        yield _by_state(
            "sevenstep_attempts",
            "Attempts, by state; those that succeeded or were cancelled are not counted.",
            counts.attempts,
        )
        yield _by_state("sevenstep_workers", "Workers seen within a day.", counts.workers)
        yield GaugeMetricFamily(
            "sevenstep_worker_slots", "Slots of workers that are here.", counts.slots
        )
        yield GaugeMetricFamily(
            "sevenstep_queue_age_seconds",
            "How long the oldest attempt that may be claimed has been waiting.",
            counts.queue_age_seconds,
        )
        yield GaugeMetricFamily(
            "sevenstep_conductor_lag_seconds",
            "Since a conductor last counted the time of an active study; 0 without one.",
            counts.conductor_lag_seconds,
        )
        yield GaugeMetricFamily(
            "sevenstep_artifact_bytes", "Bytes that artifacts hold.", counts.artifact_bytes
        )

    def _fresh(self) -> Counts:
        with self._reading:
            now = time.monotonic()
            if self._counts is None or now - self._read_at > self._cached_seconds:
                self._counts = self._count()
                self._read_at = now
            return self._counts


def _by_state(name: str, text: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=("state",))
    for state, number in counts.items():
        family.add_metric((state,), number)
    return family
