"""Tables of access: tokens, and the answers kept for posts that are sent again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, Key
from service.database.types import UtcDateTime


class Token(Base):
    """An access token, known by its SHA-256 only.

    One row is none: it holds the installation's id (``service.use_cases.installation``).

    Attributes:
        scope: read, write, admin or worker.
        is_session: A browser's cookie, which has the scope of the token it was opened with.
        opened_by_id: For a session, that token: when it goes, so does the session.
    """

    __tablename__ = "token"
    __table_args__ = (Index(None, "opened_by_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(16))
    is_session: Mapped[bool] = mapped_column(default=False)
    opened_by_id: Mapped[int | None] = mapped_column(ForeignKey("token.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class KeptAnswer(Base):
    """What a POST with an ``Idempotency-Key`` was answered, for when it is sent again.

    Attributes:
        owner: The uid of the token it came with.
        request_sha256: Of method, path and body: another request under the same key is an error.
        headers: JSON object of those that belong to the answer.
    """

    __tablename__ = "kept_answer"
    __table_args__ = (UniqueConstraint("owner", "key"), Index(None, "created_at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    owner: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(255))
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
