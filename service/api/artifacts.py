"""Artifacts: the bytes of checkpoints and snapshots, streamed in and out."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import Header, Query, Request
from fastapi.responses import FileResponse

from recipes.wire import ArtifactKind, CheckpointAnswer
from service import artifacts
from service.api.dependencies import ContextOf, Identifier, ReadSession
from service.api.routing import router
from service.artifacts import StoredFile
from service.errors import InvalidInput
from service.quota import Quota
from service.web.context import Context
from service.web.problems import documented

routes = router("artifacts")

CHUNK_BYTES = 2**20


@routes.post(
    "/attempts/{attempt}/artifacts",
    responses=documented(404, 409, 413, 507),
    openapi_extra={
        "requestBody": {
            "content": {"application/octet-stream": {"schema": {"format": "binary"}}},
            "required": True,
        }
    },
)
async def add_artifact(
    attempt: Identifier,
    request: Request,
    context: ContextOf,
    fence: Annotated[int, Query(ge=0, lt=2**31)],
    trial: Annotated[int, Query(ge=0, lt=2**31)],
    epoch: Annotated[int, Query(ge=1, lt=2**31)],
    iteration: Annotated[int, Query(ge=1, lt=2**31)],
    x_content_sha256: Annotated[
        str, Header(description="SHA-256 of the body, in hex", pattern="^[0-9A-Fa-f]{64}$")
    ],
    kind: ArtifactKind = ArtifactKind.CHECKPOINT,
) -> CheckpointAnswer:
    """Store a member's checkpoint after `epoch` whole epochs, or the snapshot of its best one.

    The body is the bytes. Checkpoints go when their trial ends, snapshots stay.
    """
    expected = x_content_sha256.lower()
    stored = await _receive(request, context, expected)

    def add() -> CheckpointAnswer:
        try:
            with context.database.write() as session:
                return artifacts.add(
                    session,
                    attempt,
                    fence=fence,
                    trial=trial,
                    kind=kind,
                    epoch=epoch,
                    iteration=iteration,
                    file=stored,
                    store=context.artifacts,
                    quota=Quota.of(context.settings),
                )
        except BaseException:
            artifacts.discard(context.database, context.artifacts, stored.uid)
            raise

    return await anyio.to_thread.run_sync(add)


@routes.get(
    "/attempts/{attempt}/artifacts/{artifact}",
    response_class=FileResponse,
    responses={**documented(404), 200: {"content": {"application/octet-stream": {}}}},
)
def get_artifact(
    attempt: Identifier, artifact: Identifier, session: ReadSession, context: ContextOf
) -> FileResponse:
    """The bytes of an artifact of the attempt's study."""
    stored = artifacts.find(session, attempt, artifact)
    return FileResponse(
        context.artifacts.path(stored.uid),
        media_type="application/octet-stream",
        headers={"X-Content-SHA256": stored.sha256},
    )


async def _receive(request: Request, context: Context, expected: str) -> StoredFile:
    """The body as a file on the disk, its digest checked. Large ones never lie in memory."""
    upload = await anyio.to_thread.run_sync(context.artifacts.upload)
    try:
        waiting = bytearray()
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) >= CHUNK_BYTES:
                await anyio.to_thread.run_sync(upload.write, bytes(waiting))
                waiting.clear()
        await anyio.to_thread.run_sync(upload.write, bytes(waiting))
        stored = await anyio.to_thread.run_sync(upload.finish)
    except BaseException:
        upload.abort()
        raise
    if stored.sha256 != expected:
        await anyio.to_thread.run_sync(context.artifacts.delete, stored.uid)
        raise InvalidInput(
            "X-Content-SHA256", expected, f"the body's is {stored.sha256}: send it again"
        )
    return stored
