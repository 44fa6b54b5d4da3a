"""What an attempt needs before its job can start: checkpoints to go on from, snapshots."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from recipes.failpoint import failpoint
from recipes.wire import Claim
from worker.agent.client import Gone, ServiceClient
from worker.agent.snapshots import SnapshotCache
from worker.slot.messages import ResumeFile, SnapshotFile

logger = logging.getLogger(__name__)


class Inputs:
    """Brings the files of a claim onto this machine.

    Args:
        claim: Names them.
        client: Under the claim's token.
        directory: The attempt's own.
        cache: Of snapshots, which several trials may use.
        deliver: Makes a call until it has its effect; false: the attempt is given up.
    """

    def __init__(
        self,
        claim: Claim,
        client: ServiceClient,
        directory: Path,
        cache: SnapshotCache,
        deliver: Callable[[Callable[[], object]], bool],
    ) -> None:
        self._claim = claim
        self._client = client
        self._directory = directory
        self._cache = cache
        self._deliver = deliver
        self.gone: list[int] = []
        """Trials whose checkpoint the service no longer has."""

    def resume_points(self) -> tuple[ResumeFile, ...]:
        """The checkpoints to go on from."""
        points = []
        for point in self._claim.resume:
            path = self._directory / f"resume-{point.trial}.checkpoint"
            try:
                is_here = self._deliver(partial(self._fetch, point.artifact, path))
            except Gone as error:
                self._tell("checkpoint", point.trial, error)
                self.gone.append(point.trial)
                continue
            if is_here:
                points.append(
                    ResumeFile(
                        trial=point.trial,
                        epoch=point.epoch,
                        iteration=point.iteration,
                        path=str(path),
                    )
                )
        return tuple(points)

    def snapshots(self) -> tuple[SnapshotFile, ...]:
        """The snapshots that members use.

        One that the service no longer has is left out, as it would be from a claim: the
        member that needs it fails alone, and says so.
        """
        files = []
        for snapshot in self._claim.snapshots:
            download = partial(self._client.fetch_artifact, self._claim.attempt, snapshot.artifact)
            try:
                is_here = self._deliver(partial(self._cache.get, snapshot.artifact, download))
            except Gone as error:
                self._tell("snapshot", snapshot.trial, error)
                continue
            if is_here:
                failpoint("agent.after_fetch")
                path = self._cache.path(snapshot.artifact)
                files.append(SnapshotFile(trial=snapshot.trial, path=str(path)))
        return tuple(files)

    def _fetch(self, artifact: str, path: Path) -> None:
        path.write_bytes(self._client.fetch_artifact(self._claim.attempt, artifact))

    def _tell(self, what: str, trial: int, error: Gone) -> None:
        logger.warning("%s: the %s of trial %d: %s", self._claim.title, what, trial, error)
