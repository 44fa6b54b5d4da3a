"""Studies that other commands began in a service that belongs to one of them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from service.client import Client, ClientError
from service.server import server_file
from service.server.server_file import ServerFile

if TYPE_CHECKING:
    from service.settings import Settings
    from service.views.models import StudySummary

LOOK_SECONDS = 2.0
LAST_WORDS_SECONDS = 10.0
"""What a command that followed its study to the end has for reading the report."""


class StayUp(BaseModel):
    """What a command says to the service it started and leaves up for others.

    Attributes:
        since: When that service was started: older studies are no other command's.
        besides: The command's own study; None: it had none.
    """

    since: datetime
    besides: str | None


def of_others(file: ServerFile, asked: StayUp) -> list[StudySummary]:
    """The studies begun in this service by others that go on, oldest first.

    One that waits for a person does not: its command has ended. A service that does not
    answer carries none out.
    """
    from recipes.study import StudyState

    try:
        with Client(file.address, file.token, patience_seconds=0) as client:
            newest = client.studies()
    except ClientError:
        return []
    return [
        study
        for study in reversed(newest)
        if study.created_at >= asked.since
        and study.id != asked.besides
        and not study.state.has_ended
        and study.state is not StudyState.NEEDS_ACTION
    ]


def wait_for_others(settings: Settings, asked: StayUp) -> None:
    """Block, in the service's process, until nothing is left for it to stay up for."""
    while (file := server_file.read(settings.data_dir)) is not None:
        if not of_others(file, asked):
            time.sleep(LAST_WORDS_SECONDS)
            if not of_others(file, asked):
                return
        time.sleep(LOOK_SECONDS)
