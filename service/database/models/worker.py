"""The table of workers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, Key
from service.database.types import UtcDateTime


class Worker(Base):
    """An agent that registered. Its uid is never used again.

    Attributes:
        gone_at: When it left.
        has_died: Whether it did not say goodbye itself: whoever started it saw it dead.
    """

    __tablename__ = "worker"
    __table_args__ = (Index(None, "gone_at", "seen_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    slots: Mapped[int]
    devices: Mapped[str] = mapped_column(Text)  # JSON list of names
    version: Mapped[str] = mapped_column(String(64))
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    has_died: Mapped[bool] = mapped_column(default=False)
