"""Tables of curves and their points."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, Key
from service.database.types import NumberKind, text_enum


class Curve(Base):
    """What one attempt reported of one metric of one trial on one split."""

    __tablename__ = "curve"
    __table_args__ = (
        UniqueConstraint("trial_id", "attempt_id", "metric", "split"),
        Index(None, "attempt_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id", ondelete="CASCADE"))
    metric: Mapped[str] = mapped_column(String(256))
    split: Mapped[str] = mapped_column(String(16))


class CurvePoint(Base):
    """One point. ``value`` is None where ``kind`` is not finite."""

    __tablename__ = "curve_point"

    curve_id: Mapped[int] = mapped_column(
        ForeignKey("curve.id", ondelete="CASCADE"), primary_key=True
    )
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float | None]
    kind: Mapped[NumberKind] = mapped_column(text_enum(NumberKind, "kind"))
