"""Artifacts: the bytes of checkpoints and snapshots, streamed in and out."""

from __future__ import annotations

from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import Header, Query, Request
from fastapi.responses import FileResponse

from recipes.wire import ArtifactKind, CheckpointAnswer
from service.api.dependencies import ContextOf, Identifier, ReadSession
from service.api.routing import router
from service.errors import InvalidInput
from service.use_cases import artifacts
from service.use_cases.artifacts import Upload
from service.use_cases.quota import Quota
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
    quota = Quota.of(context.settings)
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else None

    def check() -> None:
        with context.database.read() as session:
            artifacts.check_sender(
                session, attempt, fence=fence, trial=trial, size=size, quota=quota
            )

    def add() -> CheckpointAnswer:
        stored = upload.finish()  # from here on the file is this thread's, whoever gives up
        try:
            if stored.sha256 != expected:
                raise InvalidInput(
                    "X-Content-SHA256", expected, f"the body's is {stored.sha256}: send it again"
                )
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
                    quota=quota,
                )
        except BaseException:
            artifacts.discard(context.database, context.artifacts, stored.uid)
            raise

    await anyio.to_thread.run_sync(check)
    upload = context.artifacts.upload()
    try:
        await _receive(request, upload)
        async with context.writers:
            return await anyio.to_thread.run_sync(add)
    except BaseException:  # who sent it may have hung up, or the process ends
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(upload.abort)
        raise


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


async def _receive(request: Request, upload: Upload) -> None:
    """The body, on its way to the disk. Large ones never lie in memory."""
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= CHUNK_BYTES:
            await anyio.to_thread.run_sync(upload.write, bytes(waiting))
            waiting.clear()
    await anyio.to_thread.run_sync(upload.write, bytes(waiting))
